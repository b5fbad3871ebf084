"""Log in, read models out: live, and rebuilt beside themselves."""
