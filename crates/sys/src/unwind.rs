//! In the place of libgcc_s: what the standard library wants for unwinding, which a program that aborts when it panics
//! never does. Without these the loader would bring that library along, whose start costs more than a verification.

use std::ffi::{c_int, c_void};

/// `_URC_END_OF_STACK`: there are no frames to be shown.
const END_OF_STACK: c_int = 5;

/// Walks no frame.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Backtrace(_each: *const c_void, _argument: *mut c_void) -> c_int {
    END_OF_STACK
}

/// Goes on unwinding: nothing ever started to.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume(_exception: *mut c_void) -> ! {
    std::process::abort()
}

/// Asked by the personality routine, which is not called when nothing unwinds.
macro_rules! never_asked {
    ($($name:ident),*) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name(_context: *mut c_void) -> usize {
            std::process::abort()
        }
    )*};
}
never_asked!(
    _Unwind_DeleteException,
    _Unwind_FindEnclosingFunction,
    _Unwind_GetCFA,
    _Unwind_GetDataRelBase,
    _Unwind_GetIP,
    _Unwind_GetIPInfo,
    _Unwind_GetLanguageSpecificData,
    _Unwind_GetRegionStart,
    _Unwind_GetTextRelBase,
    _Unwind_RaiseException,
    _Unwind_SetGR,
    _Unwind_SetIP
);
