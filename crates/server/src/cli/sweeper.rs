//! The sweeper of a server: sweeps every now and then, and lets go of what is removed.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, MissedTickBehavior};

use crate::api::App;
use crate::catalog::UtcMillis;
use crate::store::{RecoverError, Recovered, ServeLock, recover, sweep};

/// How often store and catalog are compared, for what crashed pushes of other processes left. It
/// lists every blob while publications wait.
const RECOVERY_INTERVAL: Duration = Duration::from_secs(6 * 60 * 60);

/// Sweeps until it is dropped.
pub(super) async fn run(app: Arc<App>, lock: Arc<ServeLock>, interval: Duration) {
    let (archives, catalog) = (app.archives(), app.catalog());
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut recovered_at = Instant::now();
    loop {
        ticks.tick().await;
        if let Err(error) = sweep_once(&app).await {
            tracing::error!(%error, "cannot sweep");
        }
        if recovered_at.elapsed() >= RECOVERY_INTERVAL {
            recovered_at = Instant::now();
            match recover(archives.store(), &lock, catalog, SystemTime::now()).await {
                Ok(recovered) if recovered == Recovered::default() => {}
                Ok(recovered) => tracing::warn!(?recovered, "put right what a crash left behind"),
                Err(error) => tracing::error!(%error, "cannot compare store and catalog"),
            }
        }
    }
}

async fn sweep_once(app: &App) -> Result<(), RecoverError> {
    let (store, catalog) = (app.archives().store(), app.catalog());
    let swept = match sweep(store, catalog, UtcMillis::now()).await {
        Err(error) if error.is_no_space() => {
            store.give_up_reserve()?;
            sweep(store, catalog, UtcMillis::now()).await?
        }
        outcome => outcome?,
    };
    for sha256 in &swept.removed {
        app.archives().forget(sha256);
    }
    app.metrics().swept(&swept);
    app.archives().close_forgotten();
    store.keep_reserve()?;
    if !swept.is_nothing() {
        tracing::info!(
            expired = swept.expired,
            removed = swept.removed.len(),
            removed_len = swept.removed_len,
            temporary = swept.temps_removed,
            is_postponed = swept.is_postponed,
            "swept"
        );
    }
    Ok(())
}
