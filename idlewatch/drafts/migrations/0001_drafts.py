import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Draft',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('page_digest', models.CharField(max_length=64)),
                ('form', models.CharField(max_length=100)),
                ('kind', models.CharField(choices=[('draft', 'Draft'), ('refused', 'Refused')], max_length=8)),
                ('ciphertext', models.TextField()),
                ('saved_at', models.DateTimeField(db_index=True)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'draft',
                'verbose_name_plural': 'drafts',
                'default_permissions': (),
                'constraints': [models.UniqueConstraint(fields=('user', 'page_digest', 'form', 'kind'), name='idlewatch_draft_unique')],
            },
        ),
    ]
