-- The logins of the processes; the migrations say what their group roles may do.
\getenv command_password COMMAND_PASSWORD
\getenv projector_password PROJECTOR_PASSWORD
\getenv query_password QUERY_PASSWORD
CREATE ROLE orderlog_command NOLOGIN;
CREATE ROLE orderlog_projector NOLOGIN;
CREATE ROLE orderlog_query NOLOGIN;
CREATE ROLE command LOGIN PASSWORD :'command_password' IN ROLE orderlog_command;
CREATE ROLE projector LOGIN PASSWORD :'projector_password' IN ROLE orderlog_projector;
CREATE ROLE query LOGIN PASSWORD :'query_password' IN ROLE orderlog_query;
