using FluentAssertions;
using VfioUser.Disks.Tests.Support;
using Xunit;

namespace VfioUser.Disks.Tests.Nbd;

/// <summary>The thread that receives, and what others may expect of it.</summary>
public sealed class NbdReceiverTests
{
    private const ulong Size = 64 << 20;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Code_after_an_answer_may_block_until_the_next_one()
    {
        using ScriptedNbdServer server = new(AnswerAll);
        using NbdDisk disk = await NbdDisk.ConnectAsync(server.Address);

        Task both = Task.Run(async () =>
        {
            await disk.WriteAsync(0, new byte[512]).ConfigureAwait(false);
            disk.WriteAsync(512, new byte[512]).AsTask().GetAwaiter().GetResult();
        });

        await both.WaitAsync(Limit);
    }

    [Fact]
    public async Task Code_after_an_inline_answer_is_on_the_thread_that_receives()
    {
        using ScriptedNbdServer server = new(AnswerAll);
        using NbdDisk disk = await NbdDisk.ConnectAsync(server.Address);
        Task<Continuation> answer = Continuation.Of(disk.WriteInlineAsync(0, new byte[512], default));

        disk.Submit();

        (await answer.WaitAsync(Limit)).Thread.Name.Should().Be("nbd");
    }

    [Fact]
    public async Task Inline_requests_are_sent_together_when_they_are_submitted()
    {
        TaskCompletionSource<int> first = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using ScriptedNbdServer server = new(async peer =>
        {
            await peer.Negotiate(Size);
            first.SetResult(await peer.Receive()); // bytes that came at one time
            await ScriptedNbdServer.Forever(peer);
        });
        NbdDisk disk = await NbdDisk.ConnectAsync(server.Address);
        ValueTask[] reads = [.. Enumerable.Range(0, 5).Select(i => disk.ReadInlineAsync(i * 512, new byte[512], default))];

        disk.Submit();

        (await first.Task.WaitAsync(Limit)).Should().Be(reads.Length * 28);
        disk.Dispose();
        foreach (ValueTask read in reads)
            await FluentActions.Awaiting(() => read.AsTask()).Should().ThrowAsync<DiskException>();
    }

    [Fact]
    public async Task Server_that_does_not_read_for_a_while_keeps_no_caller_and_loses_nothing()
    {
        const int Count = 64, Length = 64 << 10; // more than sockets hold
        TaskCompletionSource reads = new(TaskCreationOptions.RunContinuationsAsynchronously);
        List<NbdPeer.Request> found = [];
        using ScriptedNbdServer server = new(async peer =>
        {
            await peer.Negotiate(Size);
            await reads.Task;
            while (true)
            {
                found.Add(await peer.TakeRequest());
                await peer.Simple(found[^1].Cookie);
            }
        });
        using NbdDisk disk = await NbdDisk.ConnectAsync(server.Address);

        Task[] writes = [.. Enumerable.Range(0, Count).Select(i => disk.WriteAsync(i * Length, Pattern.Of(Length, i)).AsTask())];
        writes.Should().NotContain(write => write.IsCompleted);
        reads.SetResult();
        await Task.WhenAll(writes).WaitAsync(Limit);

        found.Select(request => request.Offset).Should().BeEquivalentTo(Enumerable.Range(0, Count).Select(i => (long)i * Length));
        foreach (NbdPeer.Request request in found)
            request.Data.Should().Equal(Pattern.Of(Length, (int)(request.Offset / Length)));
        server.Connections.Should().Be(1);
    }

    [Fact]
    public async Task Writes_of_several_threads_come_whole_when_the_socket_is_full_again_and_again()
    {
        const int Threads = 4, Each = 200, Length = 32 << 10;
        byte[][] images = [.. Enumerable.Range(0, Threads).Select(i => Pattern.Of(Length, i))];
        using ScriptedNbdServer server = new(async peer =>
        {
            await peer.Negotiate(Size);
            while (true)
            {
                NbdPeer.Request request = await peer.TakeRequest();
                await peer.Simple(request.Cookie, request.Data.AsSpan().SequenceEqual(images[request.Offset / Length]) ? 0u : 5u);
            }
        });
        using NbdDisk disk = await NbdDisk.ConnectAsync(server.Address);

        await Task.WhenAll(Enumerable.Range(0, Threads).Select(number => Task.Run(() => Task.WhenAll(
            Enumerable.Range(0, Each).Select(_ => disk.WriteAsync(number * Length, images[number]).AsTask()))))).WaitAsync(Limit);

        server.Connections.Should().Be(1);
    }

    [Fact]
    public async Task Disk_is_disposed_while_its_server_does_not_read()
    {
        using ScriptedNbdServer server = new(async peer =>
        {
            await peer.Negotiate(Size);
            await ScriptedNbdServer.Forever(peer);
        });
        NbdDisk disk = await NbdDisk.ConnectAsync(server.Address);
        Task[] writes = [.. Enumerable.Range(0, 64).Select(i => disk.WriteAsync(i << 16, new byte[64 << 10]).AsTask())];

        await Task.Run(disk.Dispose).WaitAsync(Limit);

        foreach (Task write in writes)
            await FluentActions.Awaiting(() => write.WaitAsync(Limit)).Should().ThrowAsync<DiskException>();
    }

    [Fact]
    public async Task Connecting_to_a_server_that_says_nothing_can_be_cancelled()
    {
        using ScriptedNbdServer server = new(ScriptedNbdServer.Forever);
        using CancellationTokenSource cancellation = new();
        Task connecting = NbdDisk.ConnectAsync(server.Address, cancellation: cancellation.Token);

        await cancellation.CancelAsync();

        await FluentActions.Awaiting(() => connecting.WaitAsync(Limit)).Should().ThrowAsync<OperationCanceledException>();
    }

    [Theory]
    [InlineData("localhost")]
    [InlineData("127.0.0.1")]
    public async Task Server_is_reached_over_TCP(string host)
    {
        using ScriptedNbdServer server = ScriptedNbdServer.OverTcp(host, AnswerAll);
        using NbdDisk disk = await NbdDisk.ConnectAsync(server.Address);

        await disk.WriteAsync(0, new byte[4 << 20]).AsTask().WaitAsync(Limit);

        server.Connections.Should().Be(1);
    }

    [Fact]
    public async Task Port_where_nobody_listens_is_told()
    {
        string address;
        using (ScriptedNbdServer server = ScriptedNbdServer.OverTcp("127.0.0.1", AnswerAll))
            address = server.Address;

        Func<Task> connecting = () => NbdDisk.ConnectAsync(address);

        await connecting.Should().ThrowAsync<IOException>().WithMessage("*cannot be reached*refused*");
    }

    private static async Task AnswerAll(NbdPeer peer)
    {
        await peer.Negotiate(Size);
        while (true)
            await peer.Simple((await peer.TakeRequest()).Cookie);
    }
}
