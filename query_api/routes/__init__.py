"""The routes, one module per group of questions, and what OpenAPI says about them."""
