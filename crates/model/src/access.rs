//! Who may do what: an access key acts for one tenant in one role.

use std::str::FromStr;

use crate::Id;

/// What a verb needs from its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// See records and download packages.
    Read,
    /// Upload bytes; create, change and delete packages, modules and products.
    Publish,
    /// Roll packages out and steer devices.
    Operate,
    /// Manage keys and the tenant's own settings.
    Administer,
}

impl Right {
    pub fn name(self) -> &'static str {
        match self {
            Right::Read => "read",
            Right::Publish => "publish",
            Right::Operate => "operate",
            Right::Administer => "administer",
        }
    }
}

/// What an access key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    Admin,
    Publisher,
    Operator,
    Viewer,
}

impl Role {
    pub const ALL: [Role; 4] = [Role::Admin, Role::Publisher, Role::Operator, Role::Viewer];

    pub fn name(self) -> &'static str {
        match self {
            Role::Admin => "admin",
            Role::Publisher => "publisher",
            Role::Operator => "operator",
            Role::Viewer => "viewer",
        }
    }

    pub fn may(self, right: Right) -> bool {
        match self {
            Role::Admin => true,
            Role::Publisher => matches!(right, Right::Read | Right::Publish),
            Role::Operator => matches!(right, Right::Read | Right::Operate),
            Role::Viewer => matches!(right, Right::Read),
        }
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Role, String> {
        Role::ALL
            .into_iter()
            .find(|role| role.name() == text)
            .ok_or_else(|| "a role is admin, publisher, operator or viewer".to_owned())
    }
}

/// An access key as it is shown; its secret is known only when it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKey {
    /// The access key id, which clients send in the clear.
    pub id: String,
    pub tenant: Id,
    pub role: Role,
    pub label: String,
    pub created_ms: i64,
    pub expires_ms: Option<i64>,
    pub revoked_ms: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_have_the_rights_their_names_promise() {
        let rights = [Right::Read, Right::Publish, Right::Operate, Right::Administer];
        let table = [
            (Role::Admin, [true, true, true, true]),
            (Role::Publisher, [true, true, false, false]),
            (Role::Operator, [true, false, true, false]),
            (Role::Viewer, [true, false, false, false]),
        ];
        for (role, allowed) in table {
            assert_eq!(rights.map(|right| role.may(right)), allowed, "{}", role.name());
            assert_eq!(role.name().parse(), Ok(role));
        }
    }
}
