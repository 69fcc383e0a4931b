//! The stages of a pipeline: one file each. A new stage is one file and one line in the list below.
//!
//! Up to the first reducing stage rows are events: the hit's own members, and body fields with their
//! values in order, found by folded name. After it rows are a table's: each column has one cell, found
//! by its name as typed, folded; a list in a cell counts as several values. What each stage does with
//! several values, or none, is said in its file.

use std::fmt;

use crate::query::error::QueryError;
use crate::query::language::parser::Parser;
use crate::query::language::{FieldName, ParseError};
use crate::query::pipeline::{StageContext, StageRun as _, Step};

/// How a stage is written.
pub trait StageSyntax: Sized + fmt::Display {
    /// Its name, in lower case.
    const NAME: &'static str;
    /// How it is written, for errors and completion.
    const SIGNATURE: &'static str;
    /// What it gives, in a few words.
    const SUMMARY: &'static str;
    /// Whether it turns events into rows.
    const REDUCES: bool = false;

    /// Parses what follows its name.
    ///
    /// # Errors
    /// It is not written like this.
    fn parse(parser: &mut Parser<'_>) -> Result<Self, ParseError>;

    /// The names of the aggregate columns that it makes, as far as the text says.
    fn columns(&self) -> Vec<String> {
        Vec::new()
    }
}

/// What there is to know about a stage before it is typed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StageHelp {
    /// Its name.
    pub name: &'static str,
    /// How it is written.
    pub signature: &'static str,
    /// What it gives.
    pub summary: &'static str,
}

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

        impl Stage {
            /// Every stage, for errors and completion.
            pub const HELP: &[StageHelp] = &[$(StageHelp {
                name: $stage::NAME,
                signature: $stage::SIGNATURE,
                summary: $stage::SUMMARY,
            }),+];

            /// Parses what follows the name `name`; `None` if there is no such stage.
            pub(crate) fn parse(name: &str, parser: &mut Parser<'_>) -> Option<Result<Self, ParseError>> {
                $(if name == $stage::NAME {
                    return Some($stage::parse(parser).map(Self::$stage));
                })+
                None
            }

            /// Makes it ready to run.
            pub(crate) fn start(&self, context: &StageContext) -> Result<Step, QueryError> {
                match self {
                    $(Self::$stage(stage) => stage.start(context),)+
                }
            }

            /// The fields that it reads.
            pub(crate) fn reads(&self) -> Vec<FieldName> {
                match self {
                    $(Self::$stage(stage) => stage.reads(),)+
                }
            }

            /// Its own row of [`Stage::HELP`].
            pub fn help(&self) -> StageHelp {
                match self {
                    $(Self::$stage(_) => StageHelp {
                        name: $stage::NAME,
                        signature: $stage::SIGNATURE,
                        summary: $stage::SUMMARY,
                    },)+
                }
            }

            /// Whether it turns events into rows (rule 11).
            pub fn reduces(&self) -> bool {
                match self {
                    $(Self::$stage(_) => $stage::REDUCES,)+
                }
            }

            /// Columns of it that are named like a call: `p95(latency_ms)`.
            pub(crate) fn call_like_columns(&self) -> Vec<String> {
                let mut columns = match self {
                    $(Self::$stage(stage) => stage.columns(),)+
                };
                columns.retain(|name| name.contains('('));
                columns
            }
        }

        impl fmt::Display for Stage {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$stage(stage) => stage.fmt(f),)+
                }
            }
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
