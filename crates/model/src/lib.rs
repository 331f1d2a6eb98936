//! Nouns and rules. No I/O, no clock, no vendor words.
//!
//! A noun is a plain struct with public fields; a rule is a pure function or a type whose constructor keeps it.
//! Doors translate their dialect into these nouns, `core` stores them, nobody else defines what they mean.

mod access;
mod digest;
mod id;
mod module;
mod object;
mod package;
mod page;
pub mod peer;
mod product;
mod space;
mod tenant;
mod upload;

pub use access::{AccessKey, Right, Role};
pub use digest::{Md5, Sha256};
pub use id::{Id, IdSource, ParseIdError};
pub use module::{Module, ModuleKind, ModuleName};
pub use object::{Bucket, Object, ObjectPart, ObjectUpload};
pub use package::{
    DeviceKind, Integrity, Kinds, Package, PackageFacts, PackageFile, PackageFilter, PackageKind, Verification,
};
pub use page::{Page, PageOf};
pub use product::{Product, ProductDraft};
pub use space::Space;
pub use tenant::Tenant;
pub use upload::{Complete, Upload};
