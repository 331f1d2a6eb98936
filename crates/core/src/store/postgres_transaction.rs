//! A transaction on PostgreSQL, from its connection to its end.

use deadpool_postgres::{ClientWrapper, Object};
use futures::future::{join_all, join3};

use super::counts::Changes;
use super::postgres_values::as_parameters;

/// A transaction that cannot leak back into the pool: if its verb is abandoned half way, the connection is closed.
pub(super) struct OpenTransaction {
    client: Option<Object>,
}

impl OpenTransaction {
    pub(super) fn on(client: Object) -> OpenTransaction {
        OpenTransaction { client: Some(client) }
    }

    pub(super) fn client(&self) -> &ClientWrapper {
        match &self.client {
            Some(client) => client,
            None => unreachable!("the connection is given back only when the transaction ends"),
        }
    }

    /// Changes the totals and commits; all of it goes out before the first answer is waited for. `before` is what has to be
    /// said before that. The connection goes back once everything went through.
    pub(super) async fn commit(
        mut self,
        before: Option<&str>,
        has_begun: bool,
        changes: &Changes,
        slot: i64,
    ) -> Result<(), tokio_postgres::Error> {
        let client = self.client();
        let statements = changes.statements(slot);
        if !has_begun && statements.is_empty() {
            drop(self.client.take());
            return Ok(());
        }
        // Who waits for one to be prepared would be overtaken by the commit.
        let mut prepared = Vec::with_capacity(statements.len());
        for (statement, values) in &statements {
            prepared.push((client.prepare_cached(statement.text()).await?, as_parameters(values)));
        }
        let changing = prepared.iter().map(|(statement, parameters)| client.execute(statement, parameters));
        let before = async {
            match before {
                Some(before) => client.batch_execute(before).await,
                None => Ok(()),
            }
        };
        // They are sent in the order in which they are polled first. After a failure the commit takes everything back.
        let (before, changed, committed) = join3(before, join_all(changing), client.batch_execute("COMMIT")).await;
        before?;
        changed.into_iter().collect::<Result<Vec<_>, _>>()?;
        committed?;
        drop(self.client.take());
        Ok(())
    }

    pub(super) async fn roll_back(mut self, has_begun: bool) {
        if !has_begun || self.client().batch_execute("ROLLBACK").await.is_ok() {
            drop(self.client.take());
        }
    }
}

impl Drop for OpenTransaction {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            drop(Object::take(client));
        }
    }
}
