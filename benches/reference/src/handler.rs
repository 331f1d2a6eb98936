//! A bare handler: runs one statement, looks at every value of every row, and writes so many bytes.

use std::cell::RefCell;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Response, StatusCode, header};
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags};
use tokio_postgres::NoTls;
use tokio_postgres::types::ToSql;

use crate::statement::Parameter;
use crate::{Answer, Database};

pub fn serve(
    database: &Database,
    statement: &str,
    parameters: Vec<Parameter>,
    answer: &Answer,
) -> Result<(), Box<dyn Error>> {
    let body: Arc<[u8]> = vec![b'x'; answer.bytes].into();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let router = match (&database.sqlite, &database.postgres) {
        (Some(path), _) => sqlite(path, statement, parameters, body),
        (None, Some(url)) => postgres(url, statement, parameters, body)?,
        (None, None) => return Err("name a database".into()),
    };
    runtime.block_on(accept(router, answer))
}

async fn accept(router: Router, answer: &Answer) -> Result<(), Box<dyn Error>> {
    let listener = tokio::net::TcpListener::bind(answer.listen).await?;
    println!("ready {}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let builder = auto::Builder::new(TokioExecutor::new());
            // A client that goes away is no concern of ours.
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

fn respond(body: &Arc<[u8]>) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_vec()));
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}

fn failed() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}

thread_local! {
    static CONNECTION: RefCell<Option<Connection>> = const { RefCell::new(None) };
}

fn sqlite(path: &Path, statement: &str, parameters: Vec<Parameter>, body: Arc<[u8]>) -> Router {
    let statement: Arc<str> = statement.replace('$', "?").into();
    let (path, parameters): (Arc<Path>, Arc<[Parameter]>) = (path.into(), parameters.into());
    Router::new().fallback(move || {
        let (statement, path, parameters) = (Arc::clone(&statement), Arc::clone(&path), Arc::clone(&parameters));
        let body = Arc::clone(&body);
        async move {
            let rows = CONNECTION.with_borrow_mut(|connection| query(connection, &path, &statement, &parameters));
            if rows.is_ok_and(|rows| rows > 0) { respond(&body) } else { failed() }
        }
    })
}

fn query(
    connection: &mut Option<Connection>,
    path: &Path,
    statement: &str,
    parameters: &[Parameter],
) -> rusqlite::Result<usize> {
    let connection = match connection {
        Some(connection) => connection,
        none => none.insert(open_reader(path)?),
    };
    let mut prepared = connection.prepare_cached(statement)?;
    let columns = prepared.column_count();
    let mut rows = prepared.query(rusqlite::params_from_iter(parameters))?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        for column in 0..columns {
            std::hint::black_box(row.get_ref(column)?);
        }
        count += 1;
    }
    Ok(count)
}

fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "cache_size", -8192)?;
    connection.pragma_update(None, "mmap_size", 0)?;
    Ok(connection)
}

impl rusqlite::ToSql for Parameter {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Parameter::Number(number) => ValueRef::Integer(*number),
            Parameter::Text(text) => ValueRef::Text(text.as_bytes()),
            Parameter::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

pub fn pool(url: &str, connections: usize) -> Result<Pool, Box<dyn Error>> {
    let manager = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let mut config: tokio_postgres::Config = url.parse()?;
    // As the server has it (docs/adr/0016-generic-plans.md): planning would be most of what a page costs.
    config.options("-c plan_cache_mode=force_generic_plan");
    Ok(Pool::builder(Manager::from_config(config, NoTls, manager)).max_size(connections).build()?)
}

fn postgres(url: &str, statement: &str, parameters: Vec<Parameter>, body: Arc<[u8]>) -> Result<Router, Box<dyn Error>> {
    let (pool, statement, parameters): (_, Arc<str>, Arc<[Parameter]>) =
        (pool(url, 16)?, statement.into(), parameters.into());
    Ok(Router::new().fallback(move || {
        let (pool, statement, parameters) = (pool.clone(), Arc::clone(&statement), Arc::clone(&parameters));
        let body = Arc::clone(&body);
        async move {
            match ask(&pool, &statement, &parameters).await {
                Ok(rows) if rows > 0 => respond(&body),
                Ok(_) | Err(_) => failed(),
            }
        }
    }))
}

async fn ask(pool: &Pool, statement: &str, parameters: &[Parameter]) -> Result<usize, Box<dyn Error + Send + Sync>> {
    let client = pool.get().await?;
    let prepared = client.prepare_cached(statement).await?;
    let parameters: Vec<&(dyn ToSql + Sync)> = parameters
        .iter()
        .map(|parameter| match parameter {
            Parameter::Number(number) => number as &(dyn ToSql + Sync),
            Parameter::Text(text) => text,
            Parameter::Bytes(bytes) => bytes,
        })
        .collect();
    let rows = client.query(&prepared, &parameters).await?;
    for row in &rows {
        std::hint::black_box(row.len());
    }
    Ok(rows.len())
}
