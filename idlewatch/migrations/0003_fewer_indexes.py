import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def drop_indexes(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Drop what no query uses: PostgreSQL's indexes for LIKE, and that of the user beside the one of user and end.

    MariaDB and MySQL have neither. Django would make the foreign key again, and check all records.
    """
    connection, model = schema_editor.connection, apps.get_model('idlewatch', 'WatchedSession')
    if connection.vendor not in ('postgresql', 'sqlite'):
        return
    concurrently = ''
    if connection.vendor == 'postgresql' and not connection.in_atomic_block:
        concurrently = 'CONCURRENTLY '
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, model._meta.db_table)
    for name, constraint in found.items():
        is_unused = name.endswith('_like') or constraint['columns'] == ['user_id']
        if constraint['index'] and is_unused and not constraint['foreign_key']:
            schema_editor.execute(f'DROP INDEX {concurrently}{schema_editor.quote_name(name)}')


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('idlewatch', '0002_reason_started'),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name='watchedsession',
                    name='user',
                    field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='user'),
                ),
            ],
            database_operations=[migrations.RunPython(drop_indexes, migrations.RunPython.noop)],
        ),
    ]
