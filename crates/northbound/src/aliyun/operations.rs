//! The operations, one row each: the table of contents of this door.

use otaru_model::Right::{self, Publish, Read};

use super::answer::Record;
use super::call::Call;
use super::error::Failure;
use super::{modules, packages, products, uploads};

/// What a client can ask for.
#[derive(Debug)]
pub struct Operation {
    /// The value of `Action`.
    pub name: &'static str,
    /// How many calls a tenant has in any second, unless the settings say otherwise.
    pub calls_per_second: u32,
    pub right: Right,
    /// Parameters without which the gateway refuses the call, in the order in which it looks for them.
    pub required: &'static [&'static str],
    verb: Verb,
}

#[derive(Clone, Copy, Debug)]
enum Verb {
    GenerateUploadUrl,
    CreateFirmware,
    ModifyFirmware,
    DeleteFirmware,
    ListFirmware,
    QueryFirmware,
    CreateModule,
    UpdateModule,
    DeleteModule,
    ListModules,
    CreateProduct,
    QueryProduct,
    ListProducts,
    DeleteProduct,
}

const fn operation(
    name: &'static str,
    calls_per_second: u32,
    right: Right,
    required: &'static [&'static str],
    verb: Verb,
) -> Operation {
    Operation { name, calls_per_second, right, required, verb }
}

#[rustfmt::skip]
pub static OPERATIONS: &[Operation] = &[
    // Packages.
    operation("GenerateOTAUploadURL",    10, Publish, &[],                                          Verb::GenerateUploadUrl),
    operation("CreateOTAFirmware",       10, Publish, &["FirmwareName", "DestVersion", "ProductKey"], Verb::CreateFirmware),
    operation("ModifyOTAFirmware",        5, Publish, &["FirmwareId", "ProductKey"],                Verb::ModifyFirmware),
    operation("DeleteOTAFirmware",       10, Publish, &["FirmwareId"],                              Verb::DeleteFirmware),
    operation("ListOTAFirmware",         10, Read,    &["CurrentPage", "PageSize"],                 Verb::ListFirmware),
    operation("QueryOTAFirmware",        20, Read,    &["FirmwareId"],                              Verb::QueryFirmware),
    // Modules.
    operation("CreateOTAModule",         10, Publish, &["ProductKey", "ModuleName"],                Verb::CreateModule),
    operation("UpdateOTAModule",         10, Publish, &["ProductKey", "ModuleName"],                Verb::UpdateModule),
    operation("DeleteOTAModule",         10, Publish, &["ProductKey", "ModuleName"],                Verb::DeleteModule),
    operation("ListOTAModuleByProduct",  10, Read,    &["ProductKey"],                              Verb::ListModules),
    // Products.
    operation("CreateProduct",           50, Publish, &["ProductName", "NodeType"],                 Verb::CreateProduct),
    operation("QueryProduct",            50, Read,    &["ProductKey"],                              Verb::QueryProduct),
    operation("QueryProductList",        50, Read,    &["CurrentPage", "PageSize"],                 Verb::ListProducts),
    operation("DeleteProduct",          500, Publish, &["ProductKey"],                              Verb::DeleteProduct),
];

pub fn find(name: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.name == name)
}

pub async fn run(call: &Call<'_>) -> Result<Record<'static>, Failure> {
    match call.operation.verb {
        Verb::GenerateUploadUrl => uploads::generate(call).await,
        Verb::CreateFirmware => packages::create(call).await,
        Verb::ModifyFirmware => packages::modify(call).await,
        Verb::DeleteFirmware => packages::delete(call).await,
        Verb::ListFirmware => packages::list(call).await,
        Verb::QueryFirmware => packages::query(call).await,
        Verb::CreateModule => modules::create(call).await,
        Verb::UpdateModule => modules::update(call).await,
        Verb::DeleteModule => modules::delete(call).await,
        Verb::ListModules => modules::list(call).await,
        Verb::CreateProduct => products::create(call).await,
        Verb::QueryProduct => products::query(call).await,
        Verb::ListProducts => products::list(call).await,
        Verb::DeleteProduct => products::delete(call).await,
    }
}
