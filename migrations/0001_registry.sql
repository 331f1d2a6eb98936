-- The registry: who may do what, products and their packages, and files on their way in.
-- Times are milliseconds since 1970; ids are 12 bytes, time-ordered; truth values are 0 and 1.

CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE tenants (
    id          {bytes} PRIMARY KEY,
    name        TEXT NOT NULL,
    name_folded TEXT NOT NULL UNIQUE,
    created_ms  BIGINT NOT NULL
);

CREATE TABLE access_keys (
    id         TEXT PRIMARY KEY,
    tenant_id  {bytes} NOT NULL REFERENCES tenants (id),
    role       TEXT NOT NULL,
    label      TEXT NOT NULL,
    secret     {bytes} NOT NULL,          -- sealed with the master key
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT,
    revoked_ms BIGINT
);
CREATE INDEX access_keys_tenant ON access_keys (tenant_id, created_ms);

-- A signed request that changed something is never taken twice.
CREATE TABLE used_nonces (
    key_id     TEXT NOT NULL,
    nonce      TEXT NOT NULL,
    expires_ms BIGINT NOT NULL,
    PRIMARY KEY (key_id, nonce)
);
CREATE INDEX used_nonces_expiry ON used_nonces (expires_ms);

-- Sessions of clients that sign in once and then send a token. Only the tokens' digests are kept.
CREATE TABLE sessions (
    token_digest   {bytes} PRIMARY KEY,
    kind           TEXT NOT NULL,          -- access or refresh
    key_id         TEXT NOT NULL,
    expires_ms     BIGINT NOT NULL
);
CREATE INDEX sessions_key ON sessions (key_id);
CREATE INDEX sessions_expiry ON sessions (expires_ms);

CREATE TABLE spaces (
    id         {bytes} PRIMARY KEY,
    tenant_id  {bytes} NOT NULL REFERENCES tenants (id),
    code       TEXT NOT NULL,
    name       TEXT NOT NULL,
    is_default BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    UNIQUE (tenant_id, code)
);
CREATE INDEX spaces_tenant ON spaces (tenant_id, id);

CREATE TABLE products (
    id           {bytes} PRIMARY KEY,
    tenant_id    {bytes} NOT NULL REFERENCES tenants (id),
    space_id     {bytes} NOT NULL REFERENCES spaces (id),
    code         TEXT NOT NULL,
    key          TEXT NOT NULL UNIQUE,
    name         TEXT NOT NULL,
    device_type  TEXT,
    model        TEXT,
    manufacturer TEXT,
    protocol     TEXT,
    description  TEXT,
    extra        TEXT NOT NULL,            -- JSON object
    door         TEXT NOT NULL,
    created_ms   BIGINT NOT NULL,
    updated_ms   BIGINT NOT NULL,
    UNIQUE (tenant_id, code)
);
CREATE INDEX products_tenant ON products (tenant_id, id);
CREATE INDEX products_space ON products (space_id, id);
CREATE INDEX products_name ON products (tenant_id, name);

CREATE TABLE modules (
    id          {bytes} PRIMARY KEY,
    tenant_id   {bytes} NOT NULL,
    space_id    {bytes} NOT NULL,
    product_id  {bytes} NOT NULL REFERENCES products (id),
    name        TEXT NOT NULL,
    name_folded TEXT NOT NULL,
    alias       TEXT,
    description TEXT,
    created_ms  BIGINT NOT NULL,
    updated_ms  BIGINT NOT NULL,
    UNIQUE (product_id, name_folded)
);
CREATE INDEX modules_tenant ON modules (tenant_id, id);

CREATE TABLE packages (
    id              {bytes} PRIMARY KEY,
    tenant_id       {bytes} NOT NULL REFERENCES tenants (id),
    space_id        {bytes} NOT NULL,
    product_id      {bytes} NOT NULL REFERENCES products (id),
    module          TEXT NOT NULL,
    module_kind     BIGINT NOT NULL,       -- 0 firmware, 1 software, 2 any other
    version         TEXT NOT NULL,
    name            TEXT,
    description     TEXT,
    custom_info     TEXT,
    kind            TEXT NOT NULL,
    source_versions TEXT NOT NULL,         -- JSON array
    verification    TEXT NOT NULL,
    integrity       TEXT NOT NULL,
    integrity_note  TEXT,
    files           TEXT NOT NULL,         -- JSON array
    device_type     TEXT,
    model           TEXT,
    manufacturer    TEXT,
    protocol        TEXT,
    made_on         TEXT,                  -- a date in any form
    door            TEXT NOT NULL,
    extra           TEXT NOT NULL,         -- JSON object
    created_ms      BIGINT NOT NULL,
    updated_ms      BIGINT NOT NULL
);
CREATE INDEX packages_tenant ON packages (tenant_id, id);
CREATE INDEX packages_tenant_kind ON packages (tenant_id, module_kind, id);
CREATE INDEX packages_space ON packages (space_id, id);
CREATE INDEX packages_space_kind ON packages (space_id, module_kind, id);
CREATE INDEX packages_product ON packages (product_id, id);
CREATE INDEX packages_product_kind ON packages (product_id, module_kind, id);
CREATE INDEX packages_version ON packages (tenant_id, version, id);

-- What some dialects want to be unique among the packages that came by their own door.
CREATE TABLE package_claims (
    tenant_id  {bytes} NOT NULL,
    door       TEXT NOT NULL,
    claim      TEXT NOT NULL,
    package_id {bytes} NOT NULL REFERENCES packages (id) ON DELETE CASCADE,
    PRIMARY KEY (tenant_id, door, claim)
);
CREATE INDEX package_claims_package ON package_claims (package_id);

-- Exact totals of the lists, kept in the transaction that changes them; slots keep writers out of each other's way.
CREATE TABLE package_counts (
    scope {bytes} NOT NULL,
    slot  BIGINT NOT NULL,
    n     BIGINT NOT NULL,
    PRIMARY KEY (scope, slot)
);

-- Files that lie in an object store elsewhere and are still to be read in.
CREATE TABLE package_imports (
    package_id    {bytes} NOT NULL REFERENCES packages (id) ON DELETE CASCADE,
    position      BIGINT NOT NULL,
    region        TEXT NOT NULL,
    bucket        TEXT NOT NULL,
    object_key    TEXT NOT NULL,
    etag          TEXT,
    size_bytes    BIGINT NOT NULL,
    claimed_until_ms BIGINT NOT NULL,
    PRIMARY KEY (package_id, position)
);

-- Which stored bytes are part of which package.
CREATE TABLE package_blobs (
    package_id {bytes} NOT NULL REFERENCES packages (id) ON DELETE CASCADE,
    position   BIGINT NOT NULL,
    sha256     {bytes} NOT NULL,
    PRIMARY KEY (package_id, position)
);
CREATE INDEX package_blobs_sha256 ON package_blobs (sha256);

CREATE TABLE uploads (
    id             {bytes} PRIMARY KEY,
    tenant_id      {bytes} NOT NULL REFERENCES tenants (id),
    door           TEXT NOT NULL,
    locator        TEXT NOT NULL UNIQUE,
    file_name      TEXT NOT NULL,
    declared_bytes BIGINT,
    max_bytes      BIGINT NOT NULL,
    created_ms     BIGINT NOT NULL,
    open_until_ms  BIGINT NOT NULL,
    expires_ms     BIGINT NOT NULL,
    size_bytes     BIGINT,
    sha256         {bytes},
    md5            {bytes}
);
CREATE INDEX uploads_expiry ON uploads (expires_ms);
CREATE INDEX uploads_sha256 ON uploads (sha256);

CREATE TABLE buckets (
    tenant_id  {bytes} NOT NULL REFERENCES tenants (id),
    name       TEXT NOT NULL,
    region     TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, name)
);

CREATE TABLE objects (
    tenant_id    {bytes} NOT NULL,
    bucket       TEXT NOT NULL,
    object_key   {bytes} NOT NULL,         -- UTF-8; bytes sort the same on both databases
    size_bytes   BIGINT NOT NULL,
    sha256       {bytes} NOT NULL,
    md5          {bytes} NOT NULL,
    etag         TEXT NOT NULL,
    content_type TEXT,
    extra        TEXT NOT NULL,            -- JSON object
    modified_ms  BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, bucket, object_key),
    FOREIGN KEY (tenant_id, bucket) REFERENCES buckets (tenant_id, name)
);
CREATE INDEX objects_sha256 ON objects (sha256);

CREATE TABLE object_uploads (
    id           {bytes} PRIMARY KEY,
    tenant_id    {bytes} NOT NULL,
    bucket       TEXT NOT NULL,
    object_key   {bytes} NOT NULL,
    content_type TEXT,
    extra        TEXT NOT NULL,
    created_ms   BIGINT NOT NULL,
    FOREIGN KEY (tenant_id, bucket) REFERENCES buckets (tenant_id, name)
);
CREATE INDEX object_uploads_bucket ON object_uploads (tenant_id, bucket, object_key, id);

CREATE TABLE object_parts (
    upload_id   {bytes} NOT NULL REFERENCES object_uploads (id) ON DELETE CASCADE,
    number      BIGINT NOT NULL,
    stage       TEXT NOT NULL,             -- where the bytes wait in the blob room
    size_bytes  BIGINT NOT NULL,
    md5         {bytes} NOT NULL,
    modified_ms BIGINT NOT NULL,
    PRIMARY KEY (upload_id, number)
);
