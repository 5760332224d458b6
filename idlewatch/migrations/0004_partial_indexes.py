from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

CONDITIONS = {'previous_digest': "> ''", 'ended_by_id': 'IS NOT NULL', 'impersonator_id': 'IS NOT NULL'}


def leave_out_empty(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Index only the values that are there, in columns that are empty in nearly every record.

    PostgreSQL writes an entry for each new version of a row otherwise, and looks for old ones among millions of the same
    value: a third of what an end or a checkpoint costs it. No query looks for what is empty. SQLite could not tell that
    a condition on a parameter is met by such an index.
    """
    connection, model = schema_editor.connection, apps.get_model('idlewatch', 'WatchedSession')
    if connection.vendor != 'postgresql':
        return
    concurrently = '' if connection.in_atomic_block else 'CONCURRENTLY '
    quote = schema_editor.quote_name
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, model._meta.db_table)
    for column, condition in CONDITIONS.items():
        name = f'idlewatch_{column}_set'
        # A migration that was stopped leaves an index that is not used.
        schema_editor.execute(f'DROP INDEX {concurrently}IF EXISTS {quote(name)}')
        schema_editor.execute(
            f'CREATE INDEX {concurrently}{quote(name)} ON {quote(model._meta.db_table)} ({quote(column)})'
            f' WHERE {quote(column)} {condition}'
        )
        for old, constraint in found.items():
            if constraint['index'] and constraint['columns'] == [column] and old != name:
                schema_editor.execute(f'DROP INDEX {concurrently}{quote(old)}')


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('idlewatch', '0003_fewer_indexes'),
    ]

    operations = [
        migrations.RunPython(leave_out_empty, migrations.RunPython.noop),
    ]
