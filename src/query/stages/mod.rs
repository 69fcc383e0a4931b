//! The stages of a pipeline: one file each. A new stage is one file and one line in the list below.

macro_rules! stages {
    ($($module:ident :: $stage:ident),+ $(,)?) => {
        $(pub mod $module;)+

        $(#[doc(no_inline)] pub use $module::$stage;)+

        /// A stage of a pipeline.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Stage {
            $(
                #[doc = concat!("See [`", stringify!($stage), "`].")]
                $stage($stage),
            )+
        }
    };
}

stages! {
    stats::Stats,
    timechart::Timechart,
    top::Top,
    rare::Rare,
    sort::Sort,
    head::Head,
    tail::Tail,
    where_::Where,
    fields::Fields,
    rename::Rename,
    eval::Eval,
    dedup::Dedup,
    bin::Bin,
    fillnull::Fillnull,
}
