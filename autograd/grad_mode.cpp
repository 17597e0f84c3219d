#include <ebb/autograd/grad_mode.hpp>

namespace ebb {

constinit thread_local bool detail::grad_is_enabled = true;

}  // namespace ebb
