"""Apache Kafka as a bank would run it: SASL_SSL and mTLS listeners, an authorizer that denies what nobody granted."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from string import Template
from typing import Any, Final

from deploy.kafka_admin.client import admin
from deploy.ports import LOOPBACK, free_port
from deploy.sandbox import kafka_jars
from deploy.sandbox.brokers import HEAP, KafkaBroker, cluster_id
from schemas.errors import TouchlineError
from schemas.settings import Settings
from tests.support.certificates import Authority, Signed

ADMIN: Final = "admin"
PASSWORD: Final = "correct-horse-battery"
#: Laid over the sandbox's properties. The controller's listener is plaintext and on loopback: only the broker uses it.
_SECURE: Final = Template("""
listeners=SASL_SSL://127.0.0.1:${port},SSL://127.0.0.1:${mtls_port},CONTROLLER://127.0.0.1:${controller_port}
advertised.listeners=SASL_SSL://127.0.0.1:${port},SSL://127.0.0.1:${mtls_port}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL
inter.broker.listener.name=SASL_SSL
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
sasl.enabled.mechanisms=SCRAM-SHA-512,SCRAM-SHA-256,PLAIN,OAUTHBEARER
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \
  username="${admin}" password="${password}";
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
  user_${admin}="${password}";
# unsigned tokens: what is tested is that a client brings one, not how a broker checks it
listener.name.sasl_ssl.oauthbearer.sasl.jaas.config=\
  org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="${admin}";
ssl.keystore.type=PEM
ssl.keystore.location=${keystore}
ssl.truststore.type=PEM
ssl.truststore.location=${truststore}
listener.name.ssl.ssl.client.auth=required
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:${admin};User:ANONYMOUS
""")


class SecureKafka(KafkaBroker):
    """Its users are `users` (name → password) and ADMIN, who may do everything."""

    def __init__(self, data_dir: Path, log_dir: Path, users: Mapping[str, str]) -> None:
        super().__init__(data_dir, log_dir)
        self.authority = Authority(data_dir.parent / "authority")
        self.mtls_port = free_port()
        self._users = {**users, ADMIN: PASSWORD}
        self._server = self.authority.sign("broker")

    def settings(self, user: str = ADMIN, password: str = PASSWORD, **more: Any) -> Settings:
        """How a client logs in as a user."""
        base = Settings(
            brokers=self.address, kafka_security="sasl_ssl", kafka_user=user, kafka_password=password,
            kafka_ca=str(self.authority.ca),
        )  # fmt: skip
        return replace(base, **more)

    def mtls_settings(self, client: Signed, **more: Any) -> Settings:
        """How a client logs in with its certificate."""
        base = Settings(
            brokers=f"{LOOPBACK}:{self.mtls_port}", kafka_security="ssl", kafka_ca=str(self.authority.ca),
            kafka_certificate=str(client.certificate), kafka_key=str(client.key),
        )  # fmt: skip
        return replace(base, **more)

    def _ports(self) -> Iterator[tuple[int, str, str]]:
        yield from super()._ports()
        yield self.mtls_port, "the broker", "none"

    def _prepare(self) -> list[str]:
        java = ["java", "-XX:TieredStopAtLevel=1", "-cp", f"{kafka_jars.fetch()}/*"]
        self.data_dir.mkdir(parents=True, exist_ok=True)
        properties = self.data_dir / "server.properties"
        places = {
            "port": self.port,
            "controller_port": self._controller_port,
            "data_dir": self.data_dir / "log",
        }
        secure = {
            **places, "mtls_port": self.mtls_port, "admin": ADMIN, "password": PASSWORD,
            "keystore": self._server.both, "truststore": self.authority.ca,
        }  # fmt: skip
        sandbox = Template((kafka_jars.FOLDER / "server.properties").read_text()).substitute(places)
        overridden = ("listeners=", "advertised.listeners=", "listener.security.protocol.map=")
        kept = [line for line in sandbox.splitlines() if not line.startswith(overridden)]
        properties.write_text("\n".join(kept) + _SECURE.substitute(secure))
        properties.chmod(0o600)
        if not (self.data_dir / "log" / "meta.properties").exists():
            scram = [
                word
                for name, password in self._users.items()
                for mechanism in ("SCRAM-SHA-512", "SCRAM-SHA-256")
                if name == ADMIN or mechanism == "SCRAM-SHA-512"  # each takes the tool a while
                for word in ("--add-scram", f"{mechanism}=[name={name},password={password}]")
            ]
            self._format(
                [
                    *java,
                    "kafka.tools.StorageTool",
                    "format",
                    "-t",
                    cluster_id(),
                    "-c",
                    str(properties),
                    *scram,
                ]
            )
        logging = f"-Dlog4j2.configurationFile={kafka_jars.FOLDER / 'log4j2.yaml'}"
        return [*java, HEAP, logging, "kafka.Kafka", str(properties)]

    def _answers(self) -> bool:
        try:
            with admin(self.settings()) as client:
                client.list_topics()
        except TouchlineError:
            return False
        return True
