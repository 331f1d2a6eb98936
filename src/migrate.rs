//! `otaru migrate`: brings the database's schema up to date, or tells what that would do.

use std::error::Error;

use crate::config::Config;
use crate::house;

/// With `check` nothing changes; false if something is to be done.
pub async fn run(config: &Config, check: bool) -> Result<bool, Box<dyn Error>> {
    let store = house::store(config)?;
    let status = store.migration_status().await?;
    if status.pending.is_empty() {
        println!("the database is up to date at migration {}", status.applied);
        return Ok(true);
    }
    let names = status.pending.join(", ");
    if check {
        println!("the database is at migration {}; to be applied: {names}", status.applied);
        return Ok(false);
    }
    store.migrate().await?;
    println!("applied: {names}");
    Ok(true)
}
