//! The ids that this dialect makes of ours: projects and domains are tenants, users are access keys.
//!
//! A project id has 32 hexadecimal digits: the tenant's 24, and 8 that check them, so that a typing error is not a tenant.

use otaru_model::Id;

use crate::wire::digest::sha256;

const CHECK_BYTES: usize = 4;

/// The project id of a tenant.
pub fn project_id(tenant: &Id) -> String {
    spell("project", tenant)
}

/// The tenant of a project id, in any letter case.
pub fn tenant_of_project(text: &str) -> Option<Id> {
    tenant_of("project", text)
}

/// The id of a tenant's account, which IAM calls a domain.
pub fn domain_id(tenant: &Id) -> String {
    spell("domain", tenant)
}

/// The tenant of a domain id, in any letter case.
pub fn tenant_of_domain(text: &str) -> Option<Id> {
    tenant_of("domain", text)
}

/// The id of the user that an access key is. It leads nowhere: users sign in with the key's own id as their name.
pub fn user_id(access_key_id: &str) -> String {
    lower_hex(&sha256(format!("user {access_key_id}").as_bytes())[..16])
}

fn spell(kind: &str, tenant: &Id) -> String {
    format!("{tenant}{}", check_of(kind, tenant))
}

fn tenant_of(kind: &str, text: &str) -> Option<Id> {
    let (id, check) = text.split_at_checked(24)?;
    let id: Id = id.parse().ok()?;
    check.eq_ignore_ascii_case(&check_of(kind, &id)).then_some(id)
}

fn check_of(kind: &str, tenant: &Id) -> String {
    lower_hex(&sha256(format!("{kind} {tenant}").as_bytes())[..CHECK_BYTES])
}

fn lower_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_project_id_is_32_hex_and_leads_back(bytes: [u8; 12]) {
            let tenant = Id::from_bytes(bytes);
            let project = project_id(&tenant);
            prop_assert_eq!(project.len(), 32);
            prop_assert!(project.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
            prop_assert_eq!(tenant_of_project(&project), Some(tenant));
            prop_assert_eq!(tenant_of_project(&project.to_uppercase()), Some(tenant));
            prop_assert_eq!(tenant_of_domain(&domain_id(&tenant)), Some(tenant));
            prop_assert_eq!(tenant_of_domain(&project), None, "a project is not a domain");
        }

        #[test]
        fn a_typing_error_is_no_project(bytes: [u8; 12], at in 0usize..32, digit in 0u8..16) {
            let project = project_id(&Id::from_bytes(bytes));
            let mut typed = project.clone().into_bytes();
            typed[at] = b"0123456789abcdef"[usize::from(digit)];
            let typed = String::from_utf8(typed).unwrap();
            prop_assume!(typed != project);
            prop_assert_eq!(tenant_of_project(&typed), None);
        }

        #[test]
        fn any_text_is_a_project_or_none(text in ".{0,40}") {
            if let Some(tenant) = tenant_of_project(&text) {
                prop_assert_eq!(project_id(&tenant), text.to_lowercase());
            }
        }
    }
}
