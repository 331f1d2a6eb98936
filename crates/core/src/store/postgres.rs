//! PostgreSQL: a pool of connections, each with its prepared statements.

use bytes::BytesMut;
use deadpool_postgres::{ClientWrapper, Manager, ManagerConfig, Pool, RecyclingMethod};
use futures::future::BoxFuture;
use tokio_postgres::NoTls;
use tokio_postgres::types::{Format, IsNull, ToSql, Type};

use super::{Connections, MigrationStatus, Row, Statement, StoreError, Tx, Value, migrate};

/// How many connections one copy of the server holds at most, unless its URL says otherwise.
const CONNECTIONS: usize = 16;

#[derive(Clone, Debug)]
pub(super) struct PostgresStore {
    pool: Pool,
}

impl PostgresStore {
    pub(super) fn open(url: &str) -> Result<PostgresStore, StoreError> {
        let config: tokio_postgres::Config =
            url.parse().map_err(|error: tokio_postgres::Error| StoreError::Unexpected(error.to_string()))?;
        let manager = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let pool = Pool::builder(Manager::from_config(config, NoTls, manager))
            .max_size(CONNECTIONS)
            .build()
            .map_err(|error| StoreError::Unexpected(error.to_string()))?;
        Ok(PostgresStore { pool })
    }

    pub(super) fn connections(&self) -> Connections {
        let status = self.pool.status();
        let busy = status.size.saturating_sub(status.available);
        Connections { idle: status.available, busy, waiting: status.waiting }
    }

    pub(super) async fn migrate(&self) -> Result<(), StoreError> {
        let mut client = self.pool.get().await?;
        migrate::postgres(&mut client).await
    }

    pub(super) async fn migration_status(&self) -> Result<MigrationStatus, StoreError> {
        let client = self.pool.get().await?;
        migrate::postgres_status(&client).await
    }

    pub(super) async fn write<T, E, F>(&self, verb: F) -> Result<T, E>
    where
        E: From<StoreError>,
        F: for<'t, 'c> FnOnce(&'t mut Tx<'c>) -> BoxFuture<'t, Result<T, E>>,
    {
        let client = self.pool.get().await.map_err(StoreError::from)?;
        let open = OpenTransaction::begin(client).await?;
        let outcome = verb(&mut Tx::Postgres(open.client())).await;
        match outcome {
            Ok(done) => open.commit().await.map(|()| done).map_err(E::from),
            Err(error) => {
                open.roll_back().await;
                Err(error)
            }
        }
    }

    pub(super) async fn read<T, E, F>(&self, query: F) -> Result<T, E>
    where
        E: From<StoreError>,
        F: for<'t, 'c> FnOnce(&'t mut Tx<'c>) -> BoxFuture<'t, Result<T, E>>,
    {
        let client = self.pool.get().await.map_err(StoreError::from)?;
        query(&mut Tx::Postgres(&client)).await
    }
}

/// A transaction that cannot leak back into the pool: if its verb is abandoned half way, the connection is closed.
struct OpenTransaction {
    client: Option<deadpool_postgres::Object>,
}

impl OpenTransaction {
    async fn begin(client: deadpool_postgres::Object) -> Result<OpenTransaction, StoreError> {
        let open = OpenTransaction { client: Some(client) };
        open.client().batch_execute("BEGIN").await?;
        Ok(open)
    }

    fn client(&self) -> &ClientWrapper {
        match &self.client {
            Some(client) => client,
            None => unreachable!("the connection is given back only when the transaction ends"),
        }
    }

    async fn commit(mut self) -> Result<(), StoreError> {
        self.client().batch_execute("COMMIT").await?;
        drop(self.client.take());
        Ok(())
    }

    async fn roll_back(mut self) {
        if self.client().batch_execute("ROLLBACK").await.is_ok() {
            drop(self.client.take());
        }
    }
}

impl Drop for OpenTransaction {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            drop(deadpool_postgres::Object::take(client));
        }
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Value::Null => Ok(IsNull::Yes),
            Value::Int(number) => number.to_sql(ty, out),
            Value::Text(text) => text.to_sql(ty, out),
            Value::Bytes(bytes) => bytes.to_sql(ty, out),
        }
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::INT8 | Type::TEXT | Type::BYTEA)
    }

    fn to_sql_checked(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        let fits = match self {
            Value::Null => Value::accepts(ty),
            Value::Int(_) => *ty == Type::INT8,
            Value::Text(_) => *ty == Type::TEXT,
            Value::Bytes(_) => *ty == Type::BYTEA,
        };
        if !fits {
            return Err(format!("{self:?} does not fit a parameter of type {ty}").into());
        }
        self.to_sql(ty, out)
    }

    fn encode_format(&self, _ty: &Type) -> Format {
        Format::Binary
    }
}

fn as_parameters<'v>(parameters: &'v [Value<'_>]) -> Vec<&'v (dyn ToSql + Sync)> {
    parameters.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

/// Also refuses a statement with a parameter that no [`Value`] fits.
pub(super) async fn prepare(client: &ClientWrapper, statement: &Statement) -> Result<(), StoreError> {
    let prepared = client.prepare_cached(statement.text()).await?;
    match prepared.params().iter().find(|ty| !Value::accepts(ty)) {
        Some(ty) => Err(StoreError::Unexpected(format!("a parameter of type {ty}"))),
        None => Ok(()),
    }
}

pub(super) async fn rows<T>(
    client: &ClientWrapper,
    statement: &Statement,
    parameters: &[Value<'_>],
    make: &mut (impl FnMut(&Row<'_>) -> Result<T, StoreError> + Send),
) -> Result<Vec<T>, StoreError> {
    let prepared = client.prepare_cached(statement.text()).await?;
    let found = client.query(&prepared, &as_parameters(parameters)).await?;
    found.iter().map(|row| make(&Row::Postgres(row))).collect()
}

pub(super) async fn execute(
    client: &ClientWrapper,
    statement: &Statement,
    parameters: &[Value<'_>],
) -> Result<u64, StoreError> {
    let prepared = client.prepare_cached(statement.text()).await?;
    Ok(client.execute(&prepared, &as_parameters(parameters)).await?)
}
