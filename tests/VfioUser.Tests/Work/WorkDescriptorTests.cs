using VfioUser.Tests.Polling;
using VfioUser.Tests.Serving;

namespace VfioUser.Tests.Work;

[Collection(OpenFds.Name)]
public sealed class WorkDescriptorTests
{
    [Fact]
    public void Server_has_descriptors_for_posts_and_timers_from_the_first_one_until_it_ends()
    {
        WorkingDevice device = new();
        DeviceTimer timer = device.AddTimer(() => device.Tell("due"));
        OpenFds start = OpenFds.Now();
        using (WorkRig rig = new(ServedBy.OwnThread, device))
        {
            using RawClient client = rig.Attach();
            OpenFds before = OpenFds.Now();
            client.ShouldBeServed();
            before.More().Should().BeEmpty();

            while (before.More().Count == 0)
            {
                // the thread may be awake still, and need nobody
                device.Post(() => device.Tell("posted"));
                device.ShouldTell("posted");
            }
            before.More().Should().Equal("anon_inode:[eventfd]");
            while (before.More().Count == 1)
            {
                timer.Start(TimeSpan.FromMilliseconds(1));
                device.ShouldTell("due");
            }
            before.More().Should().BeEquivalentTo("anon_inode:[eventfd]", "anon_inode:[timerfd]");
        }

        start.More().Should().BeEmpty();
    }

    [Fact]
    public void Poller_is_ready_from_a_post_until_it_has_run_and_not_for_one_that_has_to_wait()
    {
        WorkingDevice device = new();
        using PollerRig rig = new(served: device);
        rig.UntilIdle();

        device.Post(() => device.Tell("posted"));
        bool early = device.Diary.Any();
        rig.IsReady.Should().BeTrue();
        rig.UntilIdle();
        device.ShouldTell("posted");
        device.Activity.Ask(QuiesceReason.Reset, new TaskCompletionSource<bool>().Task);
        device.Post(() => device.Tell("posted later"));
        rig.UntilIdle();

        early.Should().BeFalse();
        device.Diary.Should().BeEmpty();
    }
}
