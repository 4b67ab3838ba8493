using Microsoft.Extensions.Time.Testing;
using VfioUser.Testing;
using VfioUser.Tests.Serving;

namespace VfioUser.Tests.Work;

public sealed class DevicePostTests
{
    [Fact]
    public void Action_runs_once_for_all_who_asked_before()
    {
        int runs = 0;
        WorkingDevice device = new();
        DevicePost post = device.AddPost(() => runs++);
        for (int i = 0; i < 100_000; i++)
            post.Post(); // 65,536 actions are the most that are queued

        using TestGuest guest = TestGuest.Attach(device, new() { TimeProvider = new FakeTimeProvider() });
        guest.Advance(TimeSpan.Zero);

        runs.Should().Be(1);
        post.Post();
        guest.Advance(TimeSpan.Zero);
        runs.Should().Be(2);
    }

    [Fact]
    public void Action_that_asks_for_itself_runs_again()
    {
        WorkingDevice device = new();
        int left = 5;
        DevicePost? post = null;
        post = device.AddPost(() =>
        {
            if (--left > 0)
                post!.Post();
        });
        using TestGuest guest = TestGuest.Attach(device, new() { TimeProvider = new FakeTimeProvider() });

        post.Post();
        guest.Advance(TimeSpan.Zero);

        left.Should().Be(0);
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    [InlineData(ServedBy.Host)]
    public void Nothing_is_left_that_was_queued_before_the_last_post(ServedBy by)
    {
        const int Count = 20_000;
        WorkingDevice device = new();
        int queued = 0; // by plain reads and writes of one thread each: the post orders them
        int seen = 0;
        using ManualResetEventSlim all = new();
        DevicePost post = device.AddPost(() =>
        {
            seen = Volatile.Read(ref queued);
            if (seen == Count)
                all.Set();
        });
        using WorkRig rig = new(by, device);

        for (int i = 1; i <= Count; i++)
        {
            Volatile.Write(ref queued, i);
            post.Post();
        }

        all.Wait(TimeSpan.FromSeconds(60)).Should().BeTrue();
    }

    [Fact]
    public void Reset_leaves_it_queued_and_an_exception_does_not_end_it()
    {
        int runs = 0;
        WorkingDevice device = new();
        DevicePost post = device.AddPost(() =>
        {
            runs++;
            throw new InvalidOperationException("The first and the last.");
        });
        using TestGuest guest = TestGuest.Attach(device, new() { TimeProvider = new FakeTimeProvider() });

        post.Post();
        guest.Reset();
        guest.Advance(TimeSpan.Zero);
        guest.AcceptDeviceExceptions().Should().ContainSingle();
        post.Post();
        guest.Advance(TimeSpan.Zero);

        guest.AcceptDeviceExceptions().Should().HaveCount(2);
        runs.Should().Be(2);
    }

    [Fact]
    public void A_post_that_finds_the_queue_full_may_be_tried_again()
    {
        int runs = 0;
        WorkingDevice device = new();
        DevicePost post = device.AddPost(() => runs++);
        for (int i = 0; i < 65_536; i++)
            device.Post(() => { });
        Action full = post.Post;

        full.Should().Throw<InvalidOperationException>();
        using TestGuest guest = TestGuest.Attach(device, new() { TimeProvider = new FakeTimeProvider() });
        guest.Advance(TimeSpan.Zero);
        post.Post();
        guest.Advance(TimeSpan.Zero);

        runs.Should().Be(1);
    }
}
