# The pool of threads (threads.cpp).
target_link_libraries(ebb_core PRIVATE Threads::Threads)
