//! What the contract says of values, as data (§4, §7, §10). Values are checked through this table and in no other way.

use crate::wire::limits::Rule::{Count, Integer, Text, Word};
use crate::wire::limits::{Limit, Rule, Set};

use super::error::{Failure, code};

/// The largest object that a form upload takes unless the settings say otherwise: 1000 MB.
pub const MAX_FILE_BYTES: u64 = 1_048_576_000;
/// `Integer` is a signed 32-bit number in every official client.
const MAX_INTEGER: i64 = i32::MAX as i64;

/// Chinese, Japanese and Korean letters, Latin letters, digits, `-`, `_`, `(` and `)`.
const NAME: Set = Set {
    words: "Chinese, Japanese or Korean letters, Latin letters, digits, `-`, `_`, `(` and `)`",
    contains: |letter| is_name_start(letter) || matches!(letter, '-' | '_' | '(' | ')'),
    inside: "aZ9-_()电あ한",
    outside: ". /é%😀",
};

/// What a name may begin with.
pub fn is_name_start(letter: char) -> bool {
    letter.is_ascii_alphanumeric()
        || matches!(letter,
            '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}'
            | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

const PRODUCT_KEY: Rule = Text { min: 11, max: 11, set: Set::ALPHANUMERIC };
const VERSION: Rule = Text { min: 1, max: 64, set: Set::VERSION };
const MODULE: Rule = Text { min: 1, max: 64, set: Set::VERSION };
const SIZE: Rule = Integer { min: 0, max: MAX_INTEGER };
/// An MD5 has 32 digits, a SHA-256 64; the signature method says which one it has to be.
const SIGN: Rule = Text { min: 32, max: 64, set: Set::HEX };
const CURRENT_PAGE: Rule = Integer { min: 1, max: MAX_INTEGER };

pub static LIMITS: &[Limit] = &[
    Limit {
        name: "GenerateOTAUploadURL.FileSuffix",
        rule: Word(&["bin", "dav", "apk", "tar", "gz", "tar.gz", "zip", "gzip", "tar.xz", "pack"]),
    },
    Limit { name: "CreateOTAFirmware.FirmwareName", rule: Text { min: 1, max: 40, set: NAME } },
    Limit { name: "CreateOTAFirmware.DestVersion", rule: VERSION },
    Limit { name: "CreateOTAFirmware.ProductKey", rule: PRODUCT_KEY },
    Limit { name: "CreateOTAFirmware.FirmwareSize", rule: SIZE },
    Limit { name: "CreateOTAFirmware.FirmwareSign", rule: SIGN },
    Limit { name: "CreateOTAFirmware.SignMethod", rule: Word(&["MD5", "SHA256"]) },
    Limit { name: "CreateOTAFirmware.FirmwareDesc", rule: Text { min: 1, max: 100, set: Set::ANY } },
    Limit { name: "CreateOTAFirmware.Type", rule: Integer { min: 0, max: 1 } },
    Limit { name: "CreateOTAFirmware.SrcVersion", rule: VERSION },
    Limit { name: "CreateOTAFirmware.ModuleName", rule: MODULE },
    Limit { name: "CreateOTAFirmware.Udi", rule: Text { min: 0, max: 4096, set: Set::ANY } },
    Limit { name: "CreateOTAFirmware.MultiFiles", rule: Count { min: 1, max: 20 } },
    Limit { name: "CreateOTAFirmware.MultiFiles.Name", rule: Text { min: 1, max: 32, set: Set::ANY } },
    Limit { name: "CreateOTAFirmware.MultiFiles.Size", rule: SIZE },
    Limit { name: "CreateOTAFirmware.MultiFiles.FileMd5", rule: Text { min: 32, max: 32, set: Set::HEX } },
    Limit { name: "CreateOTAFirmware.MultiFiles.SignValue", rule: SIGN },
    Limit { name: "ModifyOTAFirmware.ProductKey", rule: PRODUCT_KEY },
    Limit { name: "ModifyOTAFirmware.FirmwareName", rule: Text { min: 1, max: 40, set: NAME } },
    Limit { name: "ModifyOTAFirmware.FirmwareDesc", rule: Text { min: 0, max: 100, set: Set::ANY } },
    Limit { name: "ModifyOTAFirmware.FirmwareUdi", rule: Text { min: 0, max: 4096, set: Set::ANY } },
    Limit { name: "ListOTAFirmware.CurrentPage", rule: CURRENT_PAGE },
    Limit { name: "ListOTAFirmware.PageSize", rule: Integer { min: 1, max: 100 } },
    Limit { name: "CreateOTAModule.ProductKey", rule: PRODUCT_KEY },
    Limit { name: "CreateOTAModule.ModuleName", rule: MODULE },
    Limit { name: "CreateOTAModule.AliasName", rule: Text { min: 1, max: 64, set: Set::ANY } },
    Limit { name: "CreateOTAModule.Desc", rule: Text { min: 0, max: 100, set: Set::ANY } },
    Limit { name: "UpdateOTAModule.ProductKey", rule: PRODUCT_KEY },
    Limit { name: "UpdateOTAModule.ModuleName", rule: MODULE },
    Limit { name: "UpdateOTAModule.AliasName", rule: Text { min: 1, max: 64, set: Set::ANY } },
    Limit { name: "UpdateOTAModule.Desc", rule: Text { min: 0, max: 100, set: Set::ANY } },
    Limit { name: "DeleteOTAModule.ProductKey", rule: PRODUCT_KEY },
    Limit { name: "DeleteOTAModule.ModuleName", rule: MODULE },
    Limit { name: "ListOTAModuleByProduct.ProductKey", rule: PRODUCT_KEY },
    Limit { name: "CreateProduct.ProductName", rule: Text { min: 4, max: 30, set: Set::ANY } },
    Limit { name: "CreateProduct.NodeType", rule: Integer { min: 0, max: 1 } },
    Limit { name: "CreateProduct.AliyunCommodityCode", rule: Word(&["iothub_senior", "iothub"]) },
    Limit { name: "CreateProduct.AuthType", rule: Word(&["secret"]) },
    Limit { name: "CreateProduct.DataFormat", rule: Integer { min: 0, max: 1 } },
    Limit { name: "CreateProduct.NetType", rule: Word(&["WIFI", "CELLULAR", "ETHERNET", "LORA", "OTHER"]) },
    Limit { name: "CreateProduct.ProtocolType", rule: Text { min: 0, max: 32, set: Set::ANY } },
    Limit { name: "CreateProduct.CategoryKey", rule: Text { min: 0, max: 64, set: Set::ANY } },
    Limit { name: "CreateProduct.Description", rule: Text { min: 0, max: 100, set: Set::ANY } },
    Limit { name: "QueryProduct.ProductKey", rule: PRODUCT_KEY },
    Limit { name: "QueryProductList.CurrentPage", rule: CURRENT_PAGE },
    Limit { name: "QueryProductList.PageSize", rule: Integer { min: 1, max: 200 } },
    Limit { name: "QueryProductList.AliyunCommodityCode", rule: Word(&["iothub_senior", "iothub"]) },
    Limit { name: "DeleteProduct.ProductKey", rule: PRODUCT_KEY },
];

/// The failure for a value that breaks a limit. `field` is the client's word for it, `expectation` what would be right.
pub fn broken(limit: &Limit, field: &str, expectation: &str) -> Failure {
    let last = limit.name.rsplit('.').next().unwrap_or_default();
    let code = match (last, &limit.rule) {
        ("CurrentPage" | "PageSize", _) => code::INVALID_PAGE_PARAMS,
        ("ProductKey", _) => code::INVALID_FORMATTED_PRODUCT_KEY,
        ("ProductName", _) => code::INVALID_FORMATTED_PRODUCT_NAME,
        ("Description", _) => code::LONG_PRODUCT_DESC,
        ("NodeType", _) => code::INVALID_NODE_TYPE,
        ("AliyunCommodityCode", _) => code::INVALID_COMMODITY_CODE,
        (_, Count { .. }) => code::PARAMETER_IS_NOT_LESS_THAN_MAX,
        _ => code::INVALID_FORMATTED_PARAMETER,
    };
    Failure::business(code, format!("The parameter {field} {expectation}."))
}
