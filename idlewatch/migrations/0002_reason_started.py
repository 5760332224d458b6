from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('idlewatch', '0001_watched_sessions'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='watchedsession',
            index=models.Index(fields=['reason', '-started', '-id'], name='idlewatch_reason_started'),
        ),
    ]
