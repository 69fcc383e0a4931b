//! The cryptographic module itself: which one it is, whether it is sound, and whether what it just did was an
//! approved service.
//!
//! **Promise.** In a FIPS build every call of this room into the module goes through `call`: what the module's
//! service indicator does not count as approved is an error. In any other build `call` costs nothing and
//! refuses nothing.
//!
//! **Boundary.** The only place that calls C, for what aws-lc-rs does not show of the module.

use std::fmt;

/// A form of the module that this source can be built on, by the lock file that pins it.
#[derive(Debug, Eq, PartialEq)]
pub struct Profile {
    /// What it is called.
    pub name: &'static str,
    /// The lock file that pins it, in the repository.
    pub lock_file: &'static str,
    /// The version of `aws-lc-rs` in that file.
    pub aws_lc_rs: &'static str,
    /// The version of `aws-lc-fips-sys` in that file.
    pub fips_sys: &'static str,
    /// What the module must say of itself.
    pub module: &'static str,
    /// Its certificate.
    pub certificate: &'static str,
    /// What may be claimed.
    pub claim: &'static str,
}

/// Every profile. A test holds them against the lock files.
pub static PROFILES: [Profile; 2] = [
    Profile {
        name: "default",
        lock_file: "Cargo.lock",
        aws_lc_rs: "1.17.4",
        fips_sys: "0.13.17",
        module: "AWS-LC FIPS 3.6.0",
        certificate: "update stream of CMVP #5314",
        claim: "uses cryptography of AWS-LC FIPS 3.6.0, which is an update stream of CMVP #5314 (AWS-LC FIPS 3.1.0) \
                and has no certificate of its own",
    },
    Profile {
        name: "certificate-exact",
        lock_file: "fips/Cargo.exact.lock",
        aws_lc_rs: "1.17.1",
        fips_sys: "0.13.11",
        module: "AWS-LC FIPS 3.1.0",
        certificate: "CMVP #5314",
        claim: "uses cryptography of AWS-LC FIPS 3.1.0, built from the source that CMVP #5314 names; the certificate \
                makes no statement on operating environments other than those that it lists",
    },
];

/// Why the module gave nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum CallError<E> {
    /// It refused.
    Refused(E),
    /// It did what was asked, and does not count it as an approved service: what it gave is thrown away.
    NotApproved,
}

/// Lets the module work, and gives what it gave only if that was an approved service.
pub(super) fn call<R, E>(work: impl FnOnce() -> Result<R, E>) -> Result<R, CallError<E>> {
    let (result, is_approved) = sys::observe(work);
    let given = result.map_err(CallError::Refused)?;
    if is_approved { Ok(given) } else { Err(CallError::NotApproved) }
}

/// As [`call`], where going on without an answer would be worse than to end.
pub(super) fn call_or_end<R, E: fmt::Debug>(service: &'static str, work: impl FnOnce() -> Result<R, E>) -> R {
    call(work).unwrap_or_else(|error| end(service, &error))
}

/// Ends the process: a server that draws predictable ids, or names blocks by a digest that is none, does harm.
fn end(service: &'static str, error: &dyn fmt::Debug) -> ! {
    tracing::error!(service, ?error, "the cryptographic module does not do what must not fail: the process ends");
    std::process::abort()
}

/// What the module says of itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Module {
    /// The profile that it was built in; `None` for one that nobody pinned, or in a build without the module's
    /// validated form.
    pub profile: Option<&'static Profile>,
    /// Its own text, with its version.
    pub text: String,
    /// Whether it is in its approved mode, by each of the two ways to ask.
    pub approved_mode: bool,
    /// Whether its self-tests passed now; `None` where it has none that can be asked for.
    pub self_tests: Option<bool>,
}

impl Module {
    /// Asks the module, and lets it test itself again.
    pub fn ask() -> Self {
        sys::ask()
    }

    /// What is not as it must be in a FIPS build; nothing if all is well, and in other builds.
    pub fn problems(&self) -> Vec<String> {
        if !IS_FIPS_BUILD {
            return Vec::new();
        }
        let mut problems = Vec::new();
        if !self.approved_mode {
            problems.push("the module is not in its approved mode".to_owned());
        }
        if self.self_tests != Some(true) {
            problems.push("the module's self-tests failed".to_owned());
        }
        match self.profile {
            None => problems.push(format!("no profile pins aws-lc-fips-sys {}", sys::CRATE_VERSION)),
            Some(profile) if profile.module != self.text => problems.push(format!(
                "the module says that it is \"{}\", and the profile {} pins \"{}\"",
                self.text, profile.name, profile.module
            )),
            Some(_) => {}
        }
        problems
    }
}

/// Whether this is a build on the validated form of the module.
pub const IS_FIPS_BUILD: bool = cfg!(feature = "fips");

/// Calls into the module that aws-lc-rs does not offer.
#[cfg(feature = "fips")]
mod sys {
    use std::ffi::CStr;

    use super::{Module, PROFILES};

    /// `build.rs` reads it from the crate that is linked.
    pub(super) const CRATE_VERSION: &str = env!("HELIOS_FIPS_SYS_VERSION");

    /// Does `work` on this thread, and says whether the module's indicator counted an approved service meanwhile.
    #[allow(unsafe_code, reason = "the service indicator has no other door")]
    pub(super) fn observe<R>(work: impl FnOnce() -> R) -> (R, bool) {
        // SAFETY: takes nothing and reads a counter of this thread; the module is initialised before `main`.
        let before = unsafe { aws_lc_fips_sys::FIPS_service_indicator_before_call() };
        let result = work();
        // SAFETY: as above.
        let after = unsafe { aws_lc_fips_sys::FIPS_service_indicator_after_call() };
        (result, after != before)
    }

    #[allow(unsafe_code, reason = "aws-lc-rs shows neither the module's text nor its self-test")]
    pub(super) fn ask() -> Module {
        // SAFETY: takes nothing and gives a pointer to a constant text that ends with a zero byte.
        let text = unsafe { CStr::from_ptr(aws_lc_fips_sys::awslc_version_string()) };
        // SAFETY: takes nothing and reads a flag.
        let mode = unsafe { aws_lc_fips_sys::FIPS_mode() };
        // SAFETY: takes nothing; the module locks itself while it tests itself.
        let tests = unsafe { aws_lc_fips_sys::BORINGSSL_self_test() };
        Module {
            profile: PROFILES.iter().find(|profile| profile.fips_sys == CRATE_VERSION),
            text: text.to_string_lossy().into_owned(),
            approved_mode: mode == 1 && aws_lc_rs::try_fips_mode().is_ok(),
            self_tests: Some(tests == 1),
        }
    }
}

/// The same where the module is not built in its validated form: there is nothing to ask.
#[cfg(not(feature = "fips"))]
mod sys {
    use super::Module;

    pub(super) const CRATE_VERSION: &str = "none";

    pub(super) fn observe<R>(work: impl FnOnce() -> R) -> (R, bool) {
        (work(), true)
    }

    pub(super) fn ask() -> Module {
        Module {
            profile: None,
            text: "AWS-LC, not in its validated form".to_owned(),
            approved_mode: aws_lc_rs::try_fips_mode().is_ok(),
            self_tests: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
    use aws_lc_rs::digest::{SHA256, digest};

    use super::*;

    fn sealed_with_a_nonce_of_the_caller() -> Result<(), CallError<aws_lc_rs::error::Unspecified>> {
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[1; 32]).unwrap());
        let mut text = b"text".to_vec();
        let nonce = Nonce::assume_unique_for_key([2; 12]);
        call(|| key.seal_in_place_append_tag(nonce, Aad::empty(), &mut text))
    }

    #[test]
    fn what_the_module_does_not_approve_is_an_error_in_a_fips_build_only() {
        let expected = if IS_FIPS_BUILD { Err(CallError::NotApproved) } else { Ok(()) };
        assert_eq!(sealed_with_a_nonce_of_the_caller(), expected);
        assert_eq!(call(|| Err::<(), _>("no")), Err(CallError::Refused("no")));
        assert!(call(|| Ok::<_, ()>(digest(&SHA256, b"x"))).is_ok());
    }

    #[test]
    fn work_without_the_module_is_no_approved_service() {
        assert_eq!(call(|| Ok::<_, ()>(1)).is_ok(), !IS_FIPS_BUILD);
    }

    #[test]
    fn the_module_is_the_one_that_its_profile_pins() {
        let module = Module::ask();
        assert_eq!(module.problems(), Vec::<String>::new());
        assert_eq!(module.approved_mode, IS_FIPS_BUILD);
        assert_eq!(module.profile.is_some(), IS_FIPS_BUILD);
        println!("{module:?}");
    }

    #[test]
    fn each_thing_that_is_wrong_is_named() {
        let sound = Module {
            profile: Some(&PROFILES[0]),
            text: PROFILES[0].module.to_owned(),
            approved_mode: true,
            self_tests: Some(true),
        };
        let named = |module: Module, what: &str| {
            let problems = module.problems();
            assert_eq!(problems.len(), usize::from(IS_FIPS_BUILD), "{problems:?}");
            assert!(problems.iter().all(|problem| problem.contains(what)), "{problems:?}");
        };
        assert_eq!(sound.problems(), Vec::<String>::new());
        named(Module { approved_mode: false, ..sound.clone() }, "approved mode");
        named(Module { self_tests: Some(false), ..sound.clone() }, "self-tests");
        named(Module { text: PROFILES[1].module.to_owned(), ..sound.clone() }, "AWS-LC FIPS 3.1.0");
        named(Module { profile: None, ..sound }, "no profile");
    }
}
