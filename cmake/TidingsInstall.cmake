# Installs the libraries, their headers, and a package for find_package(tidings): targets tidings::events,
# tidings::logging, tidings::bus, tidings::deadletter, and tidings::encryption and tidings::telemetry if they were built. The
# tools install themselves.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/tidings)
set(optional_targets "")
set(TIDINGS_HAS_ENCRYPTION OFF)
if(TARGET tidings_encryption)
  list(APPEND optional_targets tidings_encryption)
  set(TIDINGS_HAS_ENCRYPTION ON)
  install(FILES ${CMAKE_CURRENT_LIST_DIR}/Findsodium.cmake DESTINATION ${package_dir})
endif()
set(TIDINGS_HAS_TELEMETRY OFF)
if(TARGET tidings_telemetry)
  list(APPEND optional_targets tidings_telemetry)
  set(TIDINGS_HAS_TELEMETRY ON)
endif()

install(
  TARGETS tidings_events tidings_logging tidings_bus tidings_deadletter ${optional_targets}
  EXPORT tidingsTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT tidingsTargets NAMESPACE tidings:: DESTINATION ${package_dir})

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/tidingsConfig.cmake.in
                              ${PROJECT_BINARY_DIR}/cmake/tidingsConfig.cmake INSTALL_DESTINATION ${package_dir})
# Before 1.0 a minor release may change the interface.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/cmake/tidingsConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/cmake/tidingsConfig.cmake ${PROJECT_BINARY_DIR}/cmake/tidingsConfigVersion.cmake
        DESTINATION ${package_dir})

install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES ${PROJECT_SOURCE_DIR}/docs/schemas/log-record.schema.json DESTINATION ${CMAKE_INSTALL_DOCDIR}/schemas)
