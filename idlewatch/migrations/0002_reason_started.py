from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import ProjectState
from django.db.models import Model


class AddIndexBesideWrites(migrations.AddIndex):
    """Adds an index without holding up what is written meanwhile, as PostgreSQL would by itself.

    `django.contrib.postgres` has such an operation, which works on no other database.
    """

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        if self._is_concurrent(schema_editor, model := to_state.apps.get_model(app_label, self.model_name)):
            # A migration that was stopped leaves an index that is not used.
            schema_editor.remove_index(model, self.index, concurrently=True)  # type: ignore[call-arg]
            schema_editor.add_index(model, self.index, concurrently=True)  # type: ignore[call-arg]
        else:
            super().database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        if self._is_concurrent(schema_editor, model := from_state.apps.get_model(app_label, self.model_name)):
            schema_editor.remove_index(model, self.index, concurrently=True)  # type: ignore[call-arg]
        else:
            super().database_backwards(app_label, schema_editor, from_state, to_state)

    def _is_concurrent(self, schema_editor: BaseDatabaseSchemaEditor, model: type[Model]) -> bool:
        # No transaction can do it.
        connection = schema_editor.connection
        is_able = connection.vendor == 'postgresql' and not connection.in_atomic_block
        return is_able and self.allow_migrate_model(connection.alias, model)


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('idlewatch', '0001_watched_sessions'),
    ]

    operations = [
        AddIndexBesideWrites(
            model_name='watchedsession',
            index=models.Index(fields=['reason', '-started', '-id'], name='idlewatch_reason_started'),
        ),
    ]
