//! Requests that bring events: decoded, cut into records of whole lines, read, each line judged.
//!
//! **Promise.** A body of any size and any bytes costs bounded memory; a wrong line is reported with its
//! number and reason and harms no neighbour; what was once accepted is read again on replay as it was
//! accepted.
//!
//! **Boundary.** Knows no HTTP and no files: bytes in, records for the engine out. The clock reading
//! comes with the request.

pub mod body;
pub mod decode;
pub mod fuzz;
mod groups;
mod lines;
pub mod reader;
pub mod record;
pub mod replay;
pub mod report;
pub mod targeting;

pub use body::BodyReader;
pub use decode::{DecodeError, Decoder};
pub use reader::{LINE_BYTES_MAX_DEFAULT, LineReader, Lines, Piece};
pub use record::{Format, Reading, RecordOptions, Refusal, Request, read_lines};
pub use replay::Replay;
pub use report::{LineProblem, Report};
pub use targeting::{Asked, IndexTemplate, Target, TargetError};
