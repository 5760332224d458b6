from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('idlewatch', '0002_draft'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='KeptSample',
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
        migrations.AddField(
            model_name='watchedsession',
            name='ended_by_name',
            field=models.CharField(blank=True, editable=False, max_length=254),
        ),
        migrations.AddField(
            model_name='watchedsession',
            name='tried_since',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='watchedsession',
            name='tries',
            field=models.PositiveSmallIntegerField(default=0, editable=False),
        ),
        migrations.AddIndex(
            model_name='watchedsession',
            index=models.Index(fields=['-started', '-id'], name='idlewatch_started'),
        ),
        migrations.AddIndex(
            model_name='watchedsession',
            index=models.Index(condition=models.Q(('ended', None)), fields=['username', 'id'], name='idlewatch_live_username'),
        ),
        migrations.AddIndex(
            model_name='watchedsession',
            index=models.Index(condition=models.Q(('ended', None)), fields=['started', 'id'], name='idlewatch_live_started'),
        ),
        migrations.AddIndex(
            model_name='watchedsession',
            index=models.Index(condition=models.Q(('ended', None)), fields=['last_active', 'id'], name='idlewatch_live_last_active'),
        ),
    ]
