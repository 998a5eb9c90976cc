//! One session of the dispatcher: what it takes, and how it ends.

use std::sync::Arc;

use posthorn_broker::{BrokerError, ConsumerPool, Session};
use posthorn_domain::status::Status;
use posthorn_domain::webhook::updates::Update;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    batches, consumers::Consumers, dispatcher::Dispatcher, held::Limits, pipeline::Pipeline,
    recipient::Recipient, suspects, targets::Targets,
};

/// How deliveries are taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Intakes {
    /// How much of batches is held.
    pub(crate) batches: Limits,
    /// Channels over which the webhooks' consumers are spread.
    pub(crate) channels: usize,
}

/// Makes attempts on one session until it ends or `stop`; on `stop` waits for those that run and
/// acknowledges them. Those that run when the session ends go on beside the next one.
pub(crate) async fn serve(
    session: &Arc<Session>,
    dispatcher: &Arc<Dispatcher>,
    targets: &mut Targets,
    updates: &mut mpsc::Receiver<Update>,
    intakes: Intakes,
    stop: &CancellationToken,
) -> Result<(), BrokerError> {
    let pipeline = Pipeline::open(session, dispatcher).await?;
    let pool = session.consumer_pool(1);
    let consumers = Consumers::new(session.clone(), pipeline.clone(), intakes.channels);
    let known = consumers.know(targets.all().cloned());
    let halt = stop.child_token();
    let batches = async {
        let _halt = halt.clone().drop_guard();
        batches::run(&pool, &pipeline, intakes.batches, &halt).await
    };
    let suspects = async {
        let _halt = halt.clone().drop_guard();
        suspects::run(session, &pool, &pipeline, &halt).await
    };
    let following = async {
        let _halt = halt.clone().drop_guard();
        tokio::select! {
            failed = follow(&consumers, &known, &dispatcher.consuming, targets, updates) => Err(failed),
            () = session.ended() => Ok(()),
            () = halt.cancelled() => Ok(()),
        }
    };
    let probing = halt
        .run_until_cancelled(dispatcher.admission.outage.probe(&dispatcher.receivers, &pipeline.recipients));
    let (batches, suspects, following, _) = tokio::join!(batches, suspects, following, probing);
    consumers.stop().await;
    if stop.is_cancelled() {
        finish(session, dispatcher, &consumers, &pool).await;
    }
    batches.and(suspects).and(following)
}

/// Waits for the attempts that run, and acknowledges them.
async fn finish(session: &Session, dispatcher: &Dispatcher, consumers: &Consumers, pool: &ConsumerPool) {
    dispatcher.deliveries.close();
    dispatcher.consuming.set(Some("it takes nothing new".to_owned()));
    tracing::info!(
        running = dispatcher.deliveries.len(),
        "takes nothing new, finishes the attempts that run"
    );
    tokio::select! {
        () = dispatcher.deliveries.wait() => {
            // A dead channel's deliveries come back, to whoever is there then.
            let _ = tokio::join!(consumers.flush(), pool.flush());
        }
        () = session.ended() => {}
    }
}

/// Starts the consumers and tells them what changes. Returns only if they cannot be started.
async fn follow(
    consumers: &Consumers,
    known: &[Arc<Recipient>],
    consuming: &Status,
    targets: &mut Targets,
    updates: &mut mpsc::Receiver<Update>,
) -> BrokerError {
    let starting = async {
        match consumers.start(known, consuming).await {
            Ok(()) => tracing::info!(webhooks = known.len(), "delivering"),
            Err(error) => return error,
        }
        std::future::pending().await
    };
    let following = async {
        while let Some(update) = updates.recv().await {
            for (id, target) in targets.apply(update.changes) {
                match target {
                    Some(target) => consumers.put(target),
                    None => consumers.remove(id),
                }
            }
        }
        std::future::pending().await
    };
    tokio::select! {
        failed = starting => failed,
        failed = following => failed,
    }
}
