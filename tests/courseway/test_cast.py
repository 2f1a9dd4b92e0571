from tests.cast import Cast


def test_the_cast_lives_in_two_organizations(cast: Cast) -> None:
    """The fixed cast exists, and the outsider's course belongs to another organization."""
    assert cast.foreign_course.organization_id != cast.course.organization_id
    assert cast.course.enrollments.count() == 4
