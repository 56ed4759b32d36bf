# Where things lie at run time.  The names are Postfix's parameters; everything below the
# installation prefix moves with CMAKE_INSTALL_PREFIX, the rest follows the distribution's habit.
set(POSTERN_CONFIG_DIRECTORY /etc/postfix CACHE PATH "config_directory")
set(POSTERN_QUEUE_DIRECTORY /var/spool/postfix CACHE PATH "queue_directory")
set(POSTERN_DATA_DIRECTORY /var/lib/postfix CACHE PATH "data_directory")
set(POSTERN_COMMAND_DIRECTORY ${CMAKE_INSTALL_FULL_SBINDIR} CACHE PATH "command_directory")
set(POSTERN_DAEMON_DIRECTORY ${CMAKE_INSTALL_PREFIX}/libexec/postfix CACHE PATH "daemon_directory")
set(POSTERN_SENDMAIL_PATH ${CMAKE_INSTALL_FULL_SBINDIR}/sendmail CACHE FILEPATH "sendmail_path")
set(POSTERN_MAILQ_PATH ${CMAKE_INSTALL_FULL_SBINDIR}/mailq CACHE FILEPATH "mailq_path")
set(POSTERN_NEWALIASES_PATH ${CMAKE_INSTALL_FULL_SBINDIR}/newaliases CACHE FILEPATH "newaliases_path")
set(POSTERN_MANPAGE_DIRECTORY ${CMAKE_INSTALL_FULL_MANDIR} CACHE PATH "manpage_directory")
set(POSTERN_MAIL_SPOOL_DIRECTORY /var/mail CACHE PATH "mail_spool_directory")
set(POSTERN_MAIL_OWNER postfix CACHE STRING "mail_owner")
set(POSTERN_SETGID_GROUP postdrop CACHE STRING "setgid_group")
set(POSTERN_DATABASE_TYPE hash CACHE STRING "default_database_type")

configure_file(${CMAKE_CURRENT_SOURCE_DIR}/cmake/build_paths.h.in
  ${CMAKE_CURRENT_BINARY_DIR}/generated/conf/build_paths.h @ONLY)
