# Where things lie at run time.  The names are Postfix's parameters; everything below the
# installation prefix moves with CMAKE_INSTALL_PREFIX, the rest follows the distribution's habit.

# A cache variable whose default follows DEFAULT at every configuration, until the user gives
# it a value.
function(postern_path name type default text)
  if(DEFINED CACHE{${name}} AND NOT "$CACHE{${name}}" STREQUAL "$CACHE{${name}_DEFAULT}")
    set(value "$CACHE{${name}}")
  else()
    set(value "${default}")
  endif()
  set(${name} "${value}" CACHE ${type} "${text}" FORCE)
  set(${name}_DEFAULT "${default}" CACHE INTERNAL "")
endfunction()

# GNUInstallDirs follows the prefix by itself: these are computed anew every time.
postern_path(POSTERN_CONFIG_DIRECTORY PATH /etc/postfix config_directory)
postern_path(POSTERN_QUEUE_DIRECTORY PATH /var/spool/postfix queue_directory)
postern_path(POSTERN_DATA_DIRECTORY PATH /var/lib/postfix data_directory)
postern_path(POSTERN_COMMAND_DIRECTORY PATH ${CMAKE_INSTALL_FULL_SBINDIR} command_directory)
postern_path(POSTERN_DAEMON_DIRECTORY PATH ${CMAKE_INSTALL_PREFIX}/libexec/postfix
  daemon_directory)
postern_path(POSTERN_SHLIB_DIRECTORY PATH ${CMAKE_INSTALL_PREFIX}/lib/postfix shlib_directory)
# Facts about the installation: beside the configuration where that is ours, as in Postfix.
string(FIND "${POSTERN_CONFIG_DIRECTORY}/" "${CMAKE_INSTALL_PREFIX}/" at)
if(at EQUAL 0 OR CMAKE_INSTALL_PREFIX STREQUAL "/usr")
  set(meta ${POSTERN_CONFIG_DIRECTORY})
else()
  set(meta ${CMAKE_INSTALL_FULL_DATADIR}/postfix)
endif()
postern_path(POSTERN_META_DIRECTORY PATH ${meta} meta_directory)
postern_path(POSTERN_SENDMAIL_PATH FILEPATH ${CMAKE_INSTALL_FULL_SBINDIR}/sendmail sendmail_path)
postern_path(POSTERN_MAILQ_PATH FILEPATH ${CMAKE_INSTALL_FULL_SBINDIR}/mailq mailq_path)
postern_path(POSTERN_NEWALIASES_PATH FILEPATH ${CMAKE_INSTALL_FULL_SBINDIR}/newaliases
  newaliases_path)
postern_path(POSTERN_MANPAGE_DIRECTORY PATH ${CMAKE_INSTALL_FULL_MANDIR} manpage_directory)
postern_path(POSTERN_MAIL_SPOOL_DIRECTORY PATH /var/mail mail_spool_directory)
postern_path(POSTERN_MAIL_OWNER STRING postfix mail_owner)
postern_path(POSTERN_SETGID_GROUP STRING postdrop setgid_group)
postern_path(POSTERN_DATABASE_TYPE STRING hash default_database_type)

# mail_release_date: moves with the version in CMakeLists.txt.
set(POSTERN_RELEASE_DATE 20251124)

configure_file(${CMAKE_CURRENT_SOURCE_DIR}/cmake/build_paths.h.in
  ${CMAKE_CURRENT_BINARY_DIR}/generated/conf/build_paths.h @ONLY)
