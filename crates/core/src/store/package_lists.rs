//! Lists of packages: by any combination of filters, by key or by page number, with their exact totals.

use std::sync::OnceLock;

use otaru_model::{Id, Kinds, ModuleKind, PackageFilter, Page, PageOf};

use super::counts::{self, COUNTED, ListKey, Scope};
use super::packages::{FROM, SELECT, StoredPackage};
use super::{Row, Statement, StoreError, Tx, Value, milestones};

/// How a package of a list is shown.
pub type Show<T> = fn(&StoredPackage<'_>) -> Result<T, StoreError>;

/// A page of the tenant's packages, newest first, each as `show` makes it. The total is of the same moment as the items.
pub async fn list<T: Send>(
    tx: &mut Tx<'_>,
    tenant: &Id,
    filter: &PackageFilter,
    mut page: Page,
    show: Show<T>,
) -> Result<PageOf<T>, StoreError> {
    counts::settle(tx).await?;
    let query = Query::new(tenant, filter);
    if page.limit == 0 {
        return Ok(PageOf { items: Vec::new(), total: query.total(tx).await? });
    }
    // Where no totals are kept there are no milestones, and the page counts as it goes.
    if let Some(list) = &query.key
        && page.skip > milestones::APART
        && page.before == Id::MAX
    {
        let total = query.total(tx).await?;
        if page.skip >= total {
            return Ok(PageOf { items: Vec::new(), total });
        }
        if let Some(start) = milestones::nearest(tx, list, total, page.skip).await? {
            page = Page { before: start.before, skip: start.skip, limit: page.limit };
        }
    }
    let mut total = None;
    let items = query.page(tx, page, show, &mut total).await?;
    Ok(match total {
        Some(total) => PageOf { items, total },
        None => PageOf { items, total: query.total(tx).await? },
    })
}

/// Lays the next milestones of a list of packages below `cutoff`. Returns how many; none if the list ends before.
pub async fn lay_milestones(tx: &mut Tx<'_>, list: &ListKey, cutoff: Id) -> Result<usize, StoreError> {
    let Some((tag, of, kinds)) = list.parts() else { return Ok(0) };
    milestones::lay(tx, list, cutoff, &along(tag, kinds).step, &of).await
}

/// Whether as many packages are above the last milestone of a list as its total says.
pub async fn milestones_are_right(tx: &mut Tx<'_>, list: &ListKey) -> Result<bool, StoreError> {
    let Some((tag, of, kinds)) = list.parts() else { return Ok(true) };
    counts::settle(tx).await?;
    milestones::hold(tx).await?;
    let Some(laid) = milestones::laid(tx, list).await? else { return Ok(true) };
    let [one, other] = list.counted();
    let parameters = [(&of).into(), (&laid.last).into(), one.as_bytes().into(), other.as_bytes().into()];
    let found = tx.row(&along(tag, kinds).above, &parameters, |row| Ok((total_of(row, 0)?, total_of(row, 1)?))).await?;
    Ok(found.is_none_or(|(above, total)| laid.above(total) == Some(above)))
}

fn total_of(row: &Row<'_>, column: usize) -> Result<u64, StoreError> {
    u64::try_from(row.int(column)?).map_err(|_| StoreError::Unexpected("a total of packages is below zero".to_owned()))
}

/// A list's filters, as parameters of the statements that fit them.
struct Query<'a> {
    filters: Vec<Value<'a>>,
    /// The list as totals and milestones know it; only some combinations of filters are kept count of.
    key: Option<ListKey>,
    forms: &'static Forms,
}

impl<'a> Query<'a> {
    fn new(tenant: &'a Id, filter: &'a PackageFilter) -> Query<'a> {
        let mut filters = vec![tenant.into()];
        let mut form = 0;
        let mut add = |bit: usize, value: Option<Value<'a>>| {
            form |= usize::from(value.is_some()) << bit;
            filters.extend(value);
        };
        add(0, filter.space.as_ref().map(Value::from));
        add(1, filter.product.as_ref().map(Value::from));
        add(
            2,
            match filter.kinds {
                Kinds::One(kind) => Some(Value::Int(kind.number())),
                Kinds::All | Kinds::BuiltIn => None,
            },
        );
        let texts = [&filter.version, &filter.device_type, &filter.model, &filter.manufacturer];
        for (at, text) in texts.into_iter().enumerate() {
            add(3 + at, text.as_deref().map(Value::Text));
        }
        form |= usize::from(filter.kinds == Kinds::BuiltIn) << BUILT_IN;
        let scope = match (&filter.space, &filter.product) {
            (None, None) => Scope::Tenant(tenant),
            (Some(space), _) => Scope::Space(space),
            (None, Some(product)) => Scope::Product(product),
        };
        Query { filters, key: is_counted(form).then(|| scope.list(filter.kinds)), forms: forms_of(form) }
    }

    async fn total(&self, tx: &mut Tx<'_>) -> Result<u64, StoreError> {
        match &self.key {
            Some(key) => counts::total_of_list(tx, key).await,
            None => Ok(tx.row(&self.forms.count, &self.filters, |row| total_of(row, 0)).await?.unwrap_or(0)),
        }
    }

    async fn page<T: Send>(
        &self,
        tx: &mut Tx<'_>,
        page: Page,
        show: Show<T>,
        total: &mut Option<u64>,
    ) -> Result<Vec<T>, StoreError> {
        let counted = self.key.as_ref().map(ListKey::counted);
        let mut parameters = self.filters.clone();
        parameters.extend(counted.iter().flat_map(|counted| self.forms.keys(counted)));
        parameters.extend([Value::from(&page.before), Value::Int(i64::from(page.limit))]);
        let statement = if page.skip == 0 {
            &self.forms.page
        } else {
            parameters.push(Value::Int(i64::try_from(page.skip).unwrap_or(i64::MAX)));
            &self.forms.page_behind
        };
        let make = |row: &Row<'_>| {
            if total.is_none() {
                *total = Some(total_of(row, TOTAL_COLUMN)?);
            }
            show(&StoredPackage::read(row)?)
        };
        tx.rows(statement, &parameters, make).await
    }
}

/// The statements for one combination of filters.
struct Forms {
    /// How many keys of totals the statements take as parameters, behind the filters'.
    keys: usize,
    page: Statement,
    /// The same behind some records, which are stepped over in an index.
    page_behind: Statement,
    /// How many pass the filters, where no total is kept.
    count: Statement,
}

impl Forms {
    fn keys<'k>(&self, counted: &'k [ListKey; 2]) -> impl Iterator<Item = Value<'k>> {
        counted.iter().take(self.keys).map(|key| Value::Bytes(key.as_bytes()))
    }
}

const PAGE: &str = "package_lists::PAGE";
const PAGE_BEHIND: &str = "package_lists::PAGE_BEHIND";
const COUNT: &str = "package_lists::COUNT";
const STEP: &str = "package_lists::STEP";
const ABOVE: &str = "package_lists::ABOVE";

const COLUMNS: [&str; 7] = ["space_id", "product_id", "module_kind", "version", "device_type", "model", "manufacturer"];
/// The bit for "built-in kinds only", behind those of the columns.
const BUILT_IN: usize = COLUMNS.len();
const COMBINATIONS: usize = 1 << (BUILT_IN + 1);
/// Where the total stands in a page's rows, behind a package's own columns.
const TOTAL_COLUMN: usize = 27;
static FORMS: [OnceLock<Forms>; COMBINATIONS] = [const { OnceLock::new() }; COMBINATIONS];

/// Whether there is a counter for the combination: at most one of space and product, and nothing else but kinds.
fn is_counted(form: usize) -> bool {
    form & 0b0111_1000 == 0 && form & 0b11 != 0b11
}

fn forms_of(form: usize) -> &'static Forms {
    FORMS[form].get_or_init(|| {
        let mut filters = "p.tenant_id = $1".to_owned();
        let mut last = 1;
        for column in COLUMNS.iter().enumerate().filter(|(bit, _)| form & 1 << bit != 0).map(|(_, column)| column) {
            last += 1;
            filters.push_str(&format!(" AND p.{column} = ${last}"));
        }
        if form & 1 << BUILT_IN != 0 {
            filters.push_str(" AND p.module_kind <= 1");
        }
        let keys = match (is_counted(form), form & 1 << BUILT_IN != 0) {
            (false, _) => 0,
            (true, false) => 1,
            (true, true) => 2,
        };
        let count = format!("SELECT COUNT(*) FROM packages p WHERE {filters}");
        let total = match keys {
            0 => count.clone(),
            1 => format!("{COUNTED} = ${}", last + 1),
            _ => format!("{COUNTED} IN (${}, ${})", last + 1, last + 2),
        };
        let [before, limit, skip] = [1, 2, 3].map(|at| last + keys + at);
        let newest = format!("{filters} AND p.id < ${before} ORDER BY p.id DESC LIMIT ${limit}");
        let ids = format!("SELECT p.id FROM packages p WHERE {newest} OFFSET ${skip}");
        let head = format!("{SELECT}, ({total}) {FROM} WHERE");
        Forms {
            keys,
            page: Statement::composed(PAGE, format!("{head} {newest}")),
            page_behind: Statement::composed(PAGE_BEHIND, format!("{head} p.id IN ({ids}) ORDER BY p.id DESC")),
            count: Statement::composed(COUNT, count),
        }
    })
}

/// The statements that go along one kind of list, oldest first.
struct Along {
    step: Statement,
    above: Statement,
}

const OWNERS: [(u8, &str); 3] = [(b't', "tenant_id"), (b's', "space_id"), (b'p', "product_id")];
const KINDS: [(Kinds, &str); 5] = [
    (Kinds::All, ""),
    (Kinds::BuiltIn, " AND module_kind <= 1"),
    (Kinds::One(ModuleKind::Firmware), " AND module_kind = 0"),
    (Kinds::One(ModuleKind::Software), " AND module_kind = 1"),
    (Kinds::One(ModuleKind::Other), " AND module_kind = 2"),
];
static ALONG: [OnceLock<Along>; OWNERS.len() * KINDS.len()] = [const { OnceLock::new() }; OWNERS.len() * KINDS.len()];

fn along(tag: u8, kinds: Kinds) -> &'static Along {
    let owner = OWNERS.iter().position(|(owner, _)| *owner == tag).unwrap_or(0);
    let kind = KINDS.iter().position(|(kind, _)| *kind == kinds).unwrap_or(0);
    ALONG[owner * KINDS.len() + kind].get_or_init(|| {
        let filter = format!("{} = $1{} AND id > $2", OWNERS[owner].1, KINDS[kind].1);
        Along {
            step: Statement::composed(
                STEP,
                format!("SELECT id FROM packages WHERE {filter} AND id < $3 ORDER BY id LIMIT 1 OFFSET $4"),
            ),
            above: Statement::composed(
                ABOVE,
                format!("SELECT (SELECT COUNT(*) FROM packages WHERE {filter}), ({COUNTED} IN ($3, $4))"),
            ),
        }
    })
}

/// Every form of the composed statements, for the test that prepares them.
pub(super) fn composed() -> Vec<&'static Statement> {
    let pages = (0..COMBINATIONS).map(forms_of).flat_map(|forms| [&forms.page, &forms.page_behind, &forms.count]);
    let walks = OWNERS.iter().flat_map(|(tag, _)| KINDS.iter().map(|(kinds, _)| along(*tag, *kinds)));
    pages.chain(walks.flat_map(|along| [&along.step, &along.above])).collect()
}
