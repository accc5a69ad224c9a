from django.db import migrations

from palms.guards import guard, refuse

JOB = f"""
    IF TG_OP = 'INSERT' THEN
        IF NEW.state NOT IN ('DRAFT', 'OPEN') OR NEW.done <> 0 THEN
            {refuse("job_birth", "work is begun before it is done")}
        END IF;
    ELSIF OLD.finished_at IS NOT NULL THEN
        {refuse("job_over_is_over", "work that is over stays as it is")}
    ELSIF NEW.done < OLD.done OR OLD.state = 'OPEN' AND NEW.state = 'DRAFT' OR NEW.total <> OLD.total THEN
        {refuse("job_never_goes_back", "what is written is not written again")}
    END IF;
    RETURN NEW;
"""
INVITATION = f"""
    IF OLD.accepted_at IS NOT NULL OR OLD.withdrawn_at IS NOT NULL THEN
        {refuse("invitation_works_once", "an invitation that has ended stays ended")}
    ELSIF (NEW.club_id, NEW.email, NEW.role, NEW.expires_at) IS DISTINCT FROM (OLD.club_id, OLD.email, OLD.role, OLD.expires_at) THEN
        {refuse("invitation_immutable", "an invitation keeps whom it is for, and to what")}
    END IF;
    RETURN NEW;
"""


class Migration(migrations.Migration):
    """Work goes forward and ends once; so does an invitation."""

    dependencies = [("backoffice", "0001_jobs_and_invitations")]
    operations = [
        guard(table="backoffice_job", name="job_guard", when="BEFORE INSERT OR UPDATE", body=JOB),
        guard(table="backoffice_invitation", name="invitation_guard", when="BEFORE UPDATE", body=INVITATION),
    ]
