//! What stands behind the cryptography in use, folded from every part.

use std::sync::Arc;

use super::{Random, SealingKey, tls};

/// What stands behind a part, the weakest first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Standing {
    /// A simulation's deterministic stand-in. No release runs on it.
    StandIn,
    /// The module, built without its validated form.
    Unvalidated,
    /// The validated module in its approved mode.
    Validated,
}

impl Standing {
    /// That of the module as it is linked.
    pub fn of_module() -> Self {
        if aws_lc_rs::try_fips_mode().is_ok() { Self::Validated } else { Self::Unvalidated }
    }
}

/// Every part of the cryptography that a server uses. A part that is added here can't be forgotten by
/// [`Parts::standing`], which takes the whole apart.
#[derive(Debug)]
pub struct Parts<'a> {
    /// Where random bytes come from; `None` for a simulation's.
    pub random: Option<&'a Random>,
    /// Seal control documents, unless they are in the clear.
    pub sealing: &'a [Arc<SealingKey>],
    /// Connect to the object store.
    pub clients: &'a [tls::Client],
    /// Takes connections, if there is a port for TLS.
    pub server: Option<&'a tls::Server>,
}

impl Parts<'_> {
    /// The weakest of all parts. Digests come from the module itself.
    pub fn standing(&self) -> Standing {
        let Self { random, sealing, clients, server } = self;
        let random = random.map_or(Standing::StandIn, Random::standing);
        let sealing = sealing.iter().map(|key| key.standing());
        let tls = clients.iter().map(tls::Client::standing).chain(server.map(tls::Server::standing));
        sealing.chain(tls).fold(Standing::of_module().min(random), Standing::min)
    }

    /// Whether a release may run on this.
    ///
    /// # Errors
    /// If a part is a stand-in.
    pub fn refuse_stand_ins(&self) -> Result<(), StandInError> {
        if self.standing() == Standing::StandIn { Err(StandInError) } else { Ok(()) }
    }
}

/// A part of the cryptography is a simulation's.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the cryptography in use is a simulation's stand-in: this must not serve anybody")]
pub struct StandInError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_stand_in_makes_the_whole_a_stand_in() {
        let (random, clients) = (Random::new(), [tls::Client::refusing()]);
        let real = [Arc::new(SealingKey::new("a".into(), &[1; 32]))];
        let fake = [Arc::new(SealingKey::stand_in("a".into(), &[1; 32], Arc::new(Random::new())))];
        let parts = |random, sealing| Parts { random, sealing, clients: &clients, server: None };
        assert_eq!(parts(Some(&random), &real).standing(), Standing::of_module());
        assert_eq!(parts(Some(&random), &[]).refuse_stand_ins(), Ok(()));
        assert_eq!(parts(Some(&random), &fake).refuse_stand_ins(), Err(StandInError));
        assert_eq!(parts(None, &real).standing(), Standing::StandIn);
    }
}
