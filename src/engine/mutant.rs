//! Deliberate bugs, one durability step left out each, so that the tests can prove that they notice.
//!
//! A build without the feature `mutants` has none of them: the question is then a constant `false`.

/// A step of the protocol that a test may leave out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Mutant {
    /// Answer before the log is synced.
    LogSync,
    /// Do not sync the log's folder after making a segment.
    LogFolderSync,
    /// Sync a segment again after a sync of it failed, and believe the answer.
    LogRetrySync,
    /// Give the next life the origin and the numbers of the one before.
    OriginReused,
    /// Do not sync a block's bytes.
    BlockSync,
    /// Do not sync the folder of a new block.
    BlockFolderSync,
    /// Do not sync a manifest's bytes.
    ManifestSync,
    /// Do not sync the folder of a new manifest.
    ManifestFolderSync,
    /// Do not sync the bytes of a manifest's page.
    PageSync,
    /// Do not sync the folder of a new page.
    PageFolderSync,
    /// Do not sync the folders above a partition.
    PartitionFolderSync,
    /// Replay what is already in a block.
    ReplayBoundary,
    /// Raise the flush watermark beyond the rows of the block.
    FlushBoundary,
    /// Delete a log segment as soon as any partition has flushed its events.
    SegmentRemoval,
    /// Delete the inputs of a compaction before it is committed.
    CompactRemoval,
    /// Delete the chain of a partition that retires, and its watermarks with it.
    RetireDeletesChain,
    /// Merge blocks of the base as if they were the node's own.
    CompactTakesBase,
    /// Adopt a base without cutting from the tail what it has.
    AdoptUncut,
    /// Send the youngest block of a tail first.
    UploadNotFromFront,
    /// Bring a run in wherever the watermarks stand.
    UploadAnyWatermark,
    /// Send a block again under the id of the one that it was.
    ReuploadSameId,
    /// Let go of what lies below a watermark without having seen it in the base.
    TailUnvouched,
    /// Go on although the store has events of this very life that it never gave out.
    CloneGoesOn,
    /// Do not look whether a block is there before naming it.
    NoHeadBeforeCreate,
    /// Delete objects that no generation names without condemning them.
    DeleteUncondemned,
    /// Take over a head although it is no descendant of the one adopted before.
    RollbackAdopted,
    /// Forget the watermarks of a partition that retires.
    WatermarksReset,
    /// Believe that a lease keeps others from doing the same work.
    LeaseIsFence,
    /// Retire by a wall clock that has jumped.
    SweepTrustsClock,
    /// Drop a block of the tail of which the base has only a part.
    StraddleDropped,
    /// Adopt a base in two steps: readers see the old tail beside the new base.
    AdoptInTwoSteps,
    /// Take a commit whose create was answered for done, without looking.
    DoneOnCreate,
    /// Take a commit for done if its number reads back, wherever the floor is.
    SettleByName,
    /// Act on the own commit: the tail goes although nobody has read the head back.
    ActOnOwnCommit,
    /// Bring a block in although it was condemned.
    CondemnedTaken,
    /// Let blocks of the tail go to make room.
    EvictTail,
    /// Delete the chain of a shared partition that retires.
    SharedChainDeleted,
    /// Announce a change before it is committed, and not after.
    FeedBeforeCommit,
    /// Order heads by the time that they state.
    ClockOrdersHeads,
    /// Tell who waits for the shared store that it has what was only sent there.
    SharedTooEarly,
    /// Raise the floor to the head, and collect beyond it.
    HeadCollected,
    /// Send the older half of a front only, and state that all of it was sent.
    FrontCutShort,
    /// Delete pages that the head does not name while somebody may be about to name them.
    PageSweptUnfenced,
    /// Give a page of the same blocks the same name.
    PageNamedAgain,
}

impl Mutant {
    /// All of them.
    pub const ALL: &'static [Mutant] = &[
        Self::LogSync,
        Self::LogFolderSync,
        Self::LogRetrySync,
        Self::OriginReused,
        Self::BlockSync,
        Self::BlockFolderSync,
        Self::ManifestSync,
        Self::ManifestFolderSync,
        Self::PageSync,
        Self::PageFolderSync,
        Self::PartitionFolderSync,
        Self::ReplayBoundary,
        Self::FlushBoundary,
        Self::SegmentRemoval,
        Self::CompactRemoval,
        Self::RetireDeletesChain,
    ];

    /// Those that only a cluster can notice. Replaying what the base has is none: a head that reaches below a base is
    /// flushed before that is adopted, so that what was flushed says as much.
    pub const CLUSTER: &'static [Mutant] = &[
        Self::AdoptUncut,
        Self::UploadNotFromFront,
        Self::DeleteUncondemned,
        Self::WatermarksReset,
        Self::LeaseIsFence,
        Self::CompactTakesBase,
        Self::UploadAnyWatermark,
        Self::NoHeadBeforeCreate,
        Self::SweepTrustsClock,
        Self::StraddleDropped,
        Self::AdoptInTwoSteps,
        Self::DoneOnCreate,
        Self::SettleByName,
        Self::ActOnOwnCommit,
        Self::CondemnedTaken,
        Self::EvictTail,
        Self::SharedChainDeleted,
        Self::FeedBeforeCommit,
        Self::ClockOrdersHeads,
        Self::SharedTooEarly,
        Self::HeadCollected,
        Self::FrontCutShort,
        Self::RollbackAdopted,
        Self::ReuploadSameId,
        Self::TailUnvouched,
        Self::CloneGoesOn,
        Self::PageSweptUnfenced,
        Self::PageNamedAgain,
    ];
}

/// The mutant of a run: none, except in a test.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mutation(#[cfg(feature = "mutants")] Option<Mutant>);

impl Mutation {
    /// Leaves out one step.
    #[cfg(feature = "mutants")]
    pub fn of(mutant: Mutant) -> Self {
        Self(Some(mutant))
    }

    /// Whether this step is left out.
    #[cfg(feature = "mutants")]
    pub(crate) fn is(self, mutant: Mutant) -> bool {
        self.0 == Some(mutant)
    }

    /// Whether this step is left out: never.
    #[cfg(not(feature = "mutants"))]
    pub(crate) const fn is(self, _mutant: Mutant) -> bool {
        false
    }
}
