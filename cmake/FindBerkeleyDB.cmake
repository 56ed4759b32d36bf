# Berkeley DB 5.3 has no pkg-config file.  Defines BDB::bdb.
find_path(BDB_INCLUDE_DIR db.h PATH_SUFFIXES db5.3 libdb)
find_library(BDB_LIBRARY NAMES db-5.3 db)
if(NOT BDB_INCLUDE_DIR OR NOT BDB_LIBRARY)
  message(FATAL_ERROR
    "Berkeley DB not found: apt-get install libdb5.3-dev  or  dnf install libdb-devel")
endif()
mark_as_advanced(BDB_INCLUDE_DIR BDB_LIBRARY)
set(BerkeleyDB_FOUND TRUE)
if(NOT TARGET BDB::bdb)
  add_library(BDB::bdb UNKNOWN IMPORTED)
  set_target_properties(BDB::bdb PROPERTIES
    IMPORTED_LOCATION ${BDB_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${BDB_INCLUDE_DIR})
endif()
