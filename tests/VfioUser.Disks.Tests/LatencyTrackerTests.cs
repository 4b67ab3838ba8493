namespace VfioUser.Disks.Tests;

public class LatencyTrackerTests
{
    private readonly LatencyTracker _disk = new();

    private void Answers(int times, bool atOnce)
    {
        for (int i = 0; i < times; i++)
            _disk.Count(atOnce);
    }

    [Fact]
    public void Disk_of_which_nothing_is_known_is_not_waited_for()
    {
        _disk.IsFast.Should().BeFalse();
    }

    [Fact]
    public void Disk_that_answers_at_once_is_waited_for_after_a_few_answers()
    {
        Answers(32, atOnce: true);

        _disk.IsFast.Should().BeTrue();
    }

    [Fact]
    public void Late_answer_now_and_then_changes_nothing()
    {
        Answers(200, atOnce: true);

        for (int i = 0; i < 100; i++)
        {
            Answers(1, atOnce: false);
            _disk.IsFast.Should().BeTrue();
            Answers(40, atOnce: true);
        }
    }

    [Fact]
    public void Disk_that_is_often_late_is_not_waited_for()
    {
        Answers(200, atOnce: true);

        for (int i = 0; i < 20; i++)
        {
            Answers(1, atOnce: false);
            Answers(9, atOnce: true);
        }

        _disk.IsFast.Should().BeFalse();
    }

    [Fact]
    public void Disk_that_was_slow_for_long_is_waited_for_again_when_it_has_become_fast()
    {
        Answers(100_000, atOnce: false);

        Answers(1024, atOnce: true);

        _disk.IsFast.Should().BeTrue();
    }
}
