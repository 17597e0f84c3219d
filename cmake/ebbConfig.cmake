# find_package(ebb) gives the target ebb::ebb.

include(CMakeFindDependencyMacro)
find_dependency(xtensor)
find_dependency(fmt)
find_dependency(Threads)

# The search for a BLAS reads this variable; what the user has chosen for the rest of the project comes back after it.
set(ebb_user_blas_vendor "${BLA_VENDOR}")
set(BLA_VENDOR OpenBLAS)
find_dependency(BLAS)
set(BLA_VENDOR "${ebb_user_blas_vendor}")
unset(ebb_user_blas_vendor)

include("${CMAKE_CURRENT_LIST_DIR}/ebbTargets.cmake")
