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
            name='HistorySample',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.FloatField()),
                ('active', models.PositiveIntegerField()),
                ('warned', models.PositiveIntegerField()),
                ('ended', models.PositiveIntegerField()),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='StoreOwner',
            fields=[
                ('id', models.SmallIntegerField(default=1, editable=False, primary_key=True, serialize=False)),
                ('host', models.CharField(max_length=255)),
                ('pid', models.PositiveIntegerField()),
                ('process', models.CharField(max_length=32)),
                ('renewed', models.DateTimeField()),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='WatchedSession',
            fields=[
                ('id', models.CharField(editable=False, max_length=32, primary_key=True, serialize=False)),
                ('username', models.CharField(max_length=254, verbose_name='user name')),
                ('session_digest', models.CharField(blank=True, db_index=True, editable=False, max_length=64)),
                ('previous_digest', models.CharField(blank=True, db_index=True, editable=False, max_length=64)),
                ('auth_digest', models.CharField(editable=False, max_length=64)),
                ('address', models.CharField(blank=True, max_length=64, verbose_name='address')),
                ('user_agent', models.CharField(blank=True, max_length=512, verbose_name='user agent')),
                ('started', models.DateTimeField(verbose_name='started')),
                ('signed_in', models.DateTimeField(verbose_name='signed in')),
                ('last_active', models.DateTimeField(verbose_name='last active')),
                ('limits', models.JSONField(verbose_name='limits')),
                ('facts', models.JSONField(default=dict, editable=False)),
                ('warnings', models.PositiveIntegerField(default=0, verbose_name='warnings')),
                ('extensions', models.PositiveIntegerField(default=0, verbose_name='extensions')),
                ('held_seconds', models.FloatField(default=0.0, verbose_name='seconds held')),
                ('failed_attempts', models.PositiveSmallIntegerField(default=0, editable=False)),
                ('attempts_since', models.DateTimeField(editable=False, null=True)),
                ('ended', models.DateTimeField(blank=True, null=True, verbose_name='ended')),
                ('reason', models.CharField(blank=True, choices=[('idle', 'inactivity'), ('absolute', 'time limit'), ('closed', 'browser closed'), ('logout', 'signed out'), ('revoked', 'revoked'), ('replaced', 'replaced by a newer sign-in'), ('account', 'account or password changed'), ('lost', 'session lost')], max_length=16, verbose_name='reason')),
                ('ended_by_name', models.CharField(blank=True, editable=False, max_length=254)),
                ('impersonator_name', models.CharField(blank=True, editable=False, max_length=254, verbose_name='impersonated by')),
                ('impersonator_digest', models.CharField(blank=True, editable=False, max_length=64)),
                ('ended_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='ended by')),
                ('impersonator', models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='user')),
            ],
            options={
                'verbose_name': 'session',
                'verbose_name_plural': 'session history',
                'permissions': (('end_watchedsession', 'Can end sessions'),),
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='Live',
            fields=[
            ],
            options={
                'verbose_name': 'live session',
                'verbose_name_plural': 'live sessions',
                'proxy': True,
                'default_permissions': (),
                'indexes': [],
                'constraints': [],
            },
            bases=('idlewatch.watchedsession',),
        ),
        migrations.AddIndex(
            model_name='watchedsession',
            index=models.Index(fields=['user', 'ended'], name='idlewatch_user_ended'),
        ),
        migrations.AddIndex(
            model_name='watchedsession',
            index=models.Index(fields=['-started', '-id'], name='idlewatch_started'),
        ),
        migrations.AddIndex(
            model_name='watchedsession',
            index=models.Index(fields=['ended', 'username', 'id'], name='idlewatch_live_username'),
        ),
        migrations.AddIndex(
            model_name='watchedsession',
            index=models.Index(fields=['ended', 'started', 'id'], name='idlewatch_live_started'),
        ),
        migrations.AddIndex(
            model_name='watchedsession',
            index=models.Index(fields=['ended', 'last_active', 'id'], name='idlewatch_live_last_active'),
        ),
    ]
