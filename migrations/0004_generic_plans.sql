-- PostgreSQL plans each statement once for all values, because planning a page of a long list costs several times what reading it
-- does. Such a plan has to go along the index that the statement was written for, whoever owns most of the rows: so the planner is
-- not to learn from its samples that nearly all rows have one owner, and that another order and a filter would do.

{postgres}ALTER TABLE packages
{postgres}    ALTER COLUMN tenant_id SET (n_distinct = 500),
{postgres}    ALTER COLUMN space_id SET (n_distinct = 500),
{postgres}    ALTER COLUMN product_id SET (n_distinct = 500);
{postgres}ALTER TABLE products
{postgres}    ALTER COLUMN tenant_id SET (n_distinct = 500),
{postgres}    ALTER COLUMN space_id SET (n_distinct = 500);
{postgres}ALTER TABLE modules
{postgres}    ALTER COLUMN tenant_id SET (n_distinct = 500),
{postgres}    ALTER COLUMN product_id SET (n_distinct = 500);
{postgres}ALTER TABLE package_blobs ALTER COLUMN sha256 SET (n_distinct = -0.5);
{postgres}ALTER TABLE objects ALTER COLUMN sha256 SET (n_distinct = -0.5);
{postgres}ALTER TABLE uploads ALTER COLUMN sha256 SET (n_distinct = -0.5);
{postgres}ANALYZE packages, products, modules, package_blobs, objects, uploads;
