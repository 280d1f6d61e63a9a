"""Reads Touchline's views as docs/connect.md shows, as the analyst: prints one JSON object with what each way found."""

import json
import os
import sys

import clickhouse_connect
import pandas as pd
import sqlalchemy

HOST, PORT, HTTP_PORT, USER, PASSWORD, DATABASE = (
    os.environ[name] for name in ("HOST", "PORT", "HTTP_PORT", "ANALYST", "PASSWORD", "DATABASE")
)
QUESTION = (
    "SELECT owner, sum(friction) AS friction FROM friction_by_owner(tenant = 'default', since = '2026-01-01',"
    " until = '2027-01-01') GROUP BY owner ORDER BY owner"
)
#: A person found by the text of an id: compared, in a list, and in a join of two views.
BY_TEXT = (
    "SELECT count() FROM touchpoints_current WHERE profile_id = '{0}'",
    "SELECT count() FROM touchpoints_current WHERE profile_id IN ('{0}')",
    "SELECT count() FROM touchpoints_current WHERE profile_id NOT IN ('{0}')",
    "SELECT sum(p.touchpoints) FROM profiles AS p JOIN sessions AS s USING (tenant, profile_id)"
    " WHERE p.profile_id = '{0}'",
    "SELECT count() FROM person_touchpoints(tenant = 'default', profile_id = '{0}')",
)


def connect_client():
    client = clickhouse_connect.get_client(
        host=HOST, port=int(HTTP_PORT), username=USER, password=PASSWORD, database=DATABASE
    )
    rows = client.query(QUESTION).result_rows
    bound = client.query(
        "SELECT count() FROM touchpoints_current WHERE tenant = {tenant:String}",
        parameters={"tenant": "default"},
    ).result_rows
    frame = client.query_df("SELECT type, occurred_at FROM touchpoints_current")
    people = client.query_df("SELECT profile_id, count() AS n FROM touchpoints_current GROUP BY profile_id")
    (person,) = people["profile_id"].unique()
    joined = people.merge(client.query_df("SELECT profile_id, touchpoints FROM profiles"), on="profile_id")
    ids = {
        "type": type(person).__name__,
        "joined": [int(joined["n"][0]), int(joined["touchpoints"][0])],
        "by text": [client.query(sql.format(person)).result_rows[0][0] for sql in BY_TEXT],
        "bound": client.query(
            "SELECT count() FROM touchpoints_current WHERE profile_id = {id:UUID}",
            parameters={"id": str(person)},
        ).result_rows[0][0],
    }
    try:
        client.query("SELECT * FROM url('http://127.0.0.1:1', 'CSV', 'a String')")
        refused = False
    except clickhouse_connect.driver.exceptions.DatabaseError as error:
        refused = "Not enough privileges" in str(error)
    return {
        "rows": rows,
        "bound": bound[0][0],
        "columns": list(frame.columns),
        "refused": refused,
        "ids": ids,
    }


def through_sqlalchemy(url: str):
    engine = sqlalchemy.create_engine(url)
    with engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(sqlalchemy.text(QUESTION))]
        frame = pd.read_sql(sqlalchemy.text("SELECT type, channel FROM touchpoints_current"), connection)
        ((person,),) = connection.execute(
            sqlalchemy.text("SELECT DISTINCT profile_id FROM touchpoints_current")
        )
        by_text = [
            connection.execute(sqlalchemy.text(sql.format(person))).fetchall()[0][0] for sql in BY_TEXT
        ]
        ids = {"type": type(person).__name__, "by text": by_text}
    inspector = sqlalchemy.inspect(engine)
    views = {*inspector.get_table_names(), *inspector.get_view_names()}
    columns = [column["name"] for column in inspector.get_columns("journeys")]
    return {
        "rows": rows,
        "frame": len(frame),
        "journeys": "journeys" in views,
        "stage": "stage" in columns,
        "ids": ids,
    }


def main() -> None:
    server = f"{USER}:{PASSWORD}@{HOST}"
    found = {
        "clickhouse-connect": connect_client(),
        "clickhousedb": through_sqlalchemy(f"clickhousedb://{server}:{HTTP_PORT}/{DATABASE}"),
        "clickhouse+http": through_sqlalchemy(f"clickhouse+http://{server}:{HTTP_PORT}/{DATABASE}"),
        "clickhouse+native": through_sqlalchemy(f"clickhouse+native://{server}:{PORT}/{DATABASE}"),
    }
    json.dump(found, sys.stdout)


main()
