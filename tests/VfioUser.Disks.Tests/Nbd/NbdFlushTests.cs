using VfioUser.Disks.Tests.Support;

namespace VfioUser.Disks.Tests.Nbd;

/// <summary>Which writes a flush covers when the server is lost that had answered them.</summary>
public class NbdFlushTests
{
    private const ulong Size = 1 << 20;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private static Task<NbdDisk> Connect(ScriptedNbdServer server, bool mayLose = true) =>
        NbdDisk.ConnectAsync(server.Address, new NbdDiskOptions { RetryInterval = TimeSpan.FromMilliseconds(1), ServerMayLoseWrites = mayLose });

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Flush_fails_after_a_server_that_may_have_lost_writes(bool mayLose)
    {
        Func<NbdPeer, Task> once = async peer =>
        {
            await peer.Negotiate(Size);
            await peer.Simple((await peer.TakeRequest()).Cookie);
            await peer.TakeRequest(); // the flush, in vain
        };
        using ScriptedNbdServer server = new(once, async peer =>
        {
            await peer.Negotiate(Size);
            while (true)
                await peer.Simple((await peer.TakeRequest()).Cookie);
        });
        using NbdDisk disk = await Connect(server, mayLose);
        await disk.WriteAsync(0, new byte[512]).AsTask().WaitAsync(Limit);

        Func<Task> flushing = () => disk.FlushAsync().AsTask().WaitAsync(Limit);

        if (mayLose)
            await flushing.Should().ThrowAsync<FlushFailedException>();
        else
            await flushing.Should().NotThrowAsync();
    }

    [Fact]
    public async Task Write_that_is_answered_after_a_flush_had_begun_is_not_of_that_flush()
    {
        TaskCompletionSource flushed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        TaskCompletionSource written = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using ScriptedNbdServer server = new(
            async peer =>
            {
                await peer.Negotiate(Size);
                NbdPeer.Request write = await peer.TakeRequest();
                await peer.Simple((await peer.TakeRequest()).Cookie); // the flush
                await flushed.Task;
                await peer.Simple(write.Cookie);
                await written.Task; // and its power is lost
            },
            async peer =>
            {
                await peer.Negotiate(Size);
                while (true)
                    await peer.Simple((await peer.TakeRequest()).Cookie);
            });
        using NbdDisk disk = await Connect(server);

        Task writing = disk.WriteAsync(0, new byte[512]).AsTask();
        await disk.FlushAsync().AsTask().WaitAsync(Limit);
        flushed.SetResult();
        await writing.WaitAsync(Limit);
        written.SetResult();
        SpinWait.SpinUntil(() => server.Connections == 2, Limit).Should().BeTrue();

        await FluentActions.Awaiting(() => disk.FlushAsync().AsTask().WaitAsync(Limit)).Should().ThrowAsync<FlushFailedException>();
    }

    [Fact]
    public async Task Write_that_is_answered_by_the_server_that_came_back_is_not_lost()
    {
        using ScriptedNbdServer server = new(
            async peer =>
            {
                await peer.Negotiate(Size);
                await peer.TakeRequest(); // has no answer
            },
            async peer =>
            {
                await peer.Negotiate(Size);
                while (true)
                    await peer.Simple((await peer.TakeRequest()).Cookie);
            });
        using NbdDisk disk = await Connect(server);

        await disk.WriteAsync(0, new byte[512]).AsTask().WaitAsync(Limit);

        await FluentActions.Awaiting(() => disk.FlushAsync().AsTask().WaitAsync(Limit)).Should().NotThrowAsync();
    }
}
