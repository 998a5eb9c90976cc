//! The contracts of the seams, kept by the servers that Posthorn runs on today.

mod rabbitmq {
    use posthorn_tests::{Servers, broker_contract, contract::broker::BrokerEngine};

    /// RabbitMQ, of the version that is installed.
    struct RabbitMq(Servers);

    impl BrokerEngine for RabbitMq {
        async fn shared() -> Self {
            Self(Servers::shared())
        }

        async fn private() -> Self {
            Self(Servers::private().await)
        }

        fn url(&self) -> &str {
            &self.0.amqp_url
        }

        async fn kill_and_start(&self) {
            self.0.kill_broker().await;
            self.0.start_broker().await;
        }
    }

    broker_contract!(RabbitMq);
}
