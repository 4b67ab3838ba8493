using System.Collections.Concurrent;
using VfioUser.Disks.Tests.Support;

namespace VfioUser.Disks.Tests.Nbd;

/// <summary>The client of the protocol against servers that do as the test says.</summary>
public class NbdDiskTests
{
    private const ulong Size = 1 << 20;
    private static readonly NbdDiskOptions Quick = new() { RetryInterval = TimeSpan.FromMilliseconds(1) };
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private static Task<NbdDisk> Connect(ScriptedNbdServer server, NbdDiskOptions? options = null) => NbdDisk.ConnectAsync(server.Address, options ?? Quick);

    [Theory]
    [InlineData("nbd://host/disk", "host:10809", "disk")]
    [InlineData("nbd://host:99/a%20b", "host:99", "a b")]
    [InlineData("nbd://[::1]:99", "[::1]:99", "")]
    [InlineData("nbd+unix:///disk?socket=%2Frun%2Fnbd.sock", "/run/nbd.sock", "disk")]
    [InlineData("nbd+unix:///?socket=/run/nbd.sock", "/run/nbd.sock", "")]
    public void Address_says_server_and_export(string text, string server, string export)
    {
        NbdAddress address = NbdAddress.Parse(text);

        address.EndPoint.ToString().Should().EndWith(server);
        address.Export.Should().Be(export);
    }

    [Theory]
    [InlineData("http://host/disk")]
    [InlineData("nbds://host/disk")]
    [InlineData("nbd+unix:///disk")]
    [InlineData("nbd:disk")]
    [InlineData("")]
    public void Other_addresses_are_refused(string text)
    {
        FluentActions.Invoking(() => NbdAddress.Parse(text)).Should().Throw<ArgumentException>();
    }

    [Fact]
    public async Task Requests_are_in_flight_together_and_answered_in_any_order()
    {
        using ScriptedNbdServer server = new(async peer =>
        {
            await peer.Negotiate(Size);
            NbdPeer.Request[] requests = new NbdPeer.Request[20];
            for (int i = 0; i < requests.Length; i++)
                requests[i] = await peer.TakeRequest();
            foreach (NbdPeer.Request request in requests.Reverse())
                await peer.Data(request, Pattern.Of((int)request.Length, (int)request.Offset));
            await ScriptedNbdServer.Forever(peer);
        });
        using NbdDisk disk = await Connect(server);
        byte[][] found = [.. Enumerable.Range(0, 20).Select(_ => new byte[512])];

        await Task.WhenAll(found.Select((block, i) => disk.ReadAsync(i * 512, block).AsTask())).WaitAsync(Limit);

        for (int i = 0; i < found.Length; i++)
            found[i].Should().Equal(Pattern.Of(512, i * 512));
        disk.Size.Should().Be((long)Size);
    }

    [Fact]
    public async Task Read_in_chunks_is_put_together()
    {
        byte[] data = Pattern.Of(4096);
        data.AsSpan(1024, 1024).Clear();
        using ScriptedNbdServer server = new(async peer =>
        {
            await peer.Negotiate(Size);
            NbdPeer.Request read = await peer.TakeRequest();
            ulong at = (ulong)read.Offset;
            await peer.Chunk(read.Cookie, 1, NbdPeer.Join(at + 2048, data[2048..]), done: false);
            await peer.Chunk(read.Cookie, 1, NbdPeer.Join(at, data[..1024]), done: false);
            await peer.Chunk(read.Cookie, 2, NbdPeer.Join(at + 1024, 1024u), done: false);
            await peer.Chunk(read.Cookie, 0, []);
            await ScriptedNbdServer.Forever(peer);
        });
        using NbdDisk disk = await Connect(server);
        byte[] found = Pattern.Of(4096, 9);

        await disk.ReadAsync(8192, found).AsTask().WaitAsync(Limit);

        found.Should().Equal(data);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Lost_connection_is_made_again_and_what_had_no_answer_is_sent_again_in_order(bool structured)
    {
        List<NbdPeer.Request> before = [], after = [];
        using ScriptedNbdServer server = new(
            async peer =>
            {
                await peer.Negotiate(Size, structured: structured);
                await peer.Simple((await peer.TakeRequest()).Cookie);
                for (int i = 0; i < 3; i++)
                    before.Add(await peer.TakeRequest());
            },
            _ => Task.CompletedTask, // gone again before it has said anything
            async peer =>
            {
                await peer.Negotiate(Size, structured: structured);
                for (int i = 0; i < 3; i++)
                {
                    after.Add(await peer.TakeRequest());
                    await peer.Simple(after[i].Cookie);
                }
                await ScriptedNbdServer.Forever(peer);
            });
        using NbdDisk disk = await Connect(server);
        await disk.WriteAsync(0, new byte[512]).AsTask().WaitAsync(Limit);

        await Task.WhenAll(Enumerable.Range(1, 3).Select(i => disk.WriteAsync(i * 512, Pattern.Of(512, i)).AsTask())).WaitAsync(Limit);

        after.Should().BeEquivalentTo(before, options => options.WithStrictOrdering());
        after.Select(request => request.Data).Should().BeEquivalentTo(Enumerable.Range(1, 3).Select(i => Pattern.Of(512, i)));
        server.Connections.Should().Be(3);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Server_that_shuts_down_is_left_and_what_it_did_not_do_is_for_the_next(bool structured)
    {
        byte[] data = Pattern.Of(4096);
        TaskCompletionSource refusal = new();
        ConcurrentQueue<long> later = [];
        using ScriptedNbdServer server = new(
            async peer =>
            {
                await peer.Negotiate(Size, structured: structured);
                NbdPeer.Request first = await peer.TakeRequest(), second = await peer.TakeRequest();
                const uint shutdown = 108;
                await (structured ? peer.Chunk(first.Cookie, 0x8001, NbdPeer.Join(shutdown, (ushort)0)) : peer.Simple(first.Cookie, shutdown));
                await refusal.Task;
                await (structured ? peer.Data(second, data) : peer.Simple(second.Cookie, 0, data));
                await ScriptedNbdServer.Forever(peer); // as nbdkit, which waits for the client to go
            },
            async peer =>
            {
                await peer.Negotiate(Size);
                while (true)
                {
                    NbdPeer.Request request = await peer.TakeRequest();
                    later.Enqueue(request.Offset);
                    await peer.Data(request, data);
                }
            });
        using NbdDisk disk = await Connect(server);
        byte[] refused = new byte[4096], late = new byte[4096];

        Task reading = disk.ReadAsync(4096, refused).AsTask(), other = disk.ReadAsync(8192, late).AsTask();
        reading.IsCompleted.Should().BeFalse();
        server.Connections.Should().Be(1, "the other request could be done after what the next server does");
        refusal.SetResult();
        await Task.WhenAll(reading, other).WaitAsync(Limit);

        refused.Should().Equal(data);
        late.Should().Equal(data);
        server.Connections.Should().Be(2);
        later.Should().Equal(4096);
    }

    public static TheoryData<string> Lies => [.. LiesByName.Keys];

    private static readonly Dictionary<string, Func<NbdPeer, NbdPeer.Request, Task>> LiesByName = new(StringComparer.Ordinal)
    {
        ["no magic"] = (peer, read) => peer.Send(NbdPeer.Join(0x1234_5678u, new byte[40])),
        ["no such request"] = (peer, read) => peer.Chunk(read.Cookie + 7, 0, []),
        ["answered twice"] = async (peer, read) =>
        {
            await peer.Data(read, new byte[read.Length]);
            await peer.Data(read, new byte[read.Length]);
        },
        ["before the data"] = (peer, read) => peer.Chunk(read.Cookie, 1, NbdPeer.Join((ulong)read.Offset - 1, new byte[512])),
        ["across the end"] = (peer, read) => peer.Chunk(read.Cookie, 1, NbdPeer.Join((ulong)read.Offset + 1, new byte[read.Length])),
        ["far beyond the end"] = (peer, read) => peer.Chunk(read.Cookie, 2, NbdPeer.Join(ulong.MaxValue - 100, 200u)),
        ["hole beyond the end"] = (peer, read) => peer.Chunk(read.Cookie, 2, NbdPeer.Join((ulong)read.Offset, read.Length + 1)),
        ["hole of nothing"] = (peer, read) => peer.Chunk(read.Cookie, 2, NbdPeer.Join((ulong)read.Offset, 0u)),
        ["too little"] = (peer, read) => peer.Chunk(read.Cookie, 1, NbdPeer.Join((ulong)read.Offset, new byte[100])),
        ["the same twice"] = async (peer, read) =>
        {
            await peer.Chunk(read.Cookie, 1, NbdPeer.Join((ulong)read.Offset, new byte[read.Length]), done: false);
            await peer.Chunk(read.Cookie, 1, NbdPeer.Join((ulong)read.Offset, new byte[read.Length]));
        },
        ["nothing at all"] = (peer, read) => peer.Chunk(read.Cookie, 0, []),
        ["an end with data"] = (peer, read) => peer.Chunk(read.Cookie, 0, new byte[8]),
        ["data without an offset"] = (peer, read) => peer.Chunk(read.Cookie, 1, new byte[8]),
        ["an error of 4 GiB"] = (peer, read) => peer.Send(NbdPeer.Join(0x668E_33EFu, (ushort)1, (ushort)0x8001, read.Cookie, uint.MaxValue)),
        ["an error that is none"] = (peer, read) => peer.Chunk(read.Cookie, 0x8001, NbdPeer.Join(0u, (ushort)0)),
        ["a message longer than its chunk"] = (peer, read) => peer.Chunk(read.Cookie, 0x8001, NbdPeer.Join(5u, (ushort)9)),
        ["an unknown chunk"] = (peer, read) => peer.Chunk(read.Cookie, 77, new byte[8]),
        ["a simple reply"] = (peer, read) => peer.Simple(read.Cookie, 0, new byte[read.Length]),
    };

    [Theory]
    [MemberData(nameof(Lies))]
    public async Task Server_that_lies_is_left_and_asked_again(string lie)
    {
        byte[] data = Pattern.Of(4096);
        using ScriptedNbdServer server = new(
            async peer =>
            {
                await peer.Negotiate(Size);
                NbdPeer.Request first = await peer.TakeRequest();
                await peer.Data(first, data);
                await LiesByName[lie](peer, await peer.TakeRequest());
                await ScriptedNbdServer.Forever(peer);
            },
            async peer =>
            {
                await peer.Negotiate(Size);
                while (true)
                    await peer.Data(await peer.TakeRequest(), data);
            });
        using NbdDisk disk = await Connect(server);
        await disk.ReadAsync(4096, new byte[4096]).AsTask().WaitAsync(Limit);
        byte[] found = new byte[4096];

        await disk.ReadAsync(8192, found).AsTask().WaitAsync(Limit);
        await disk.ReadAsync(8192, found).AsTask().WaitAsync(Limit);

        found.Should().Equal(data);
        server.Connections.Should().Be(2);
    }

    [Fact]
    public async Task Chunks_that_overlap_show_nothing_of_an_earlier_command()
    {
        using ScriptedNbdServer server = new(async peer =>
        {
            await peer.Negotiate(Size);
            NbdPeer.Request read = await peer.TakeRequest();
            await peer.Chunk(read.Cookie, 1, NbdPeer.Join((ulong)read.Offset, new byte[512]), done: false);
            await peer.Chunk(read.Cookie, 1, NbdPeer.Join((ulong)read.Offset, new byte[512]));
            await ScriptedNbdServer.Forever(peer);
        });
        using NbdDisk disk = await Connect(server);
        byte[] found = Pattern.Of(1024);

        await disk.ReadAsync(0, found).AsTask().WaitAsync(Limit);

        found.Should().Equal(new byte[1024]);
    }

    public static TheoryData<string> Greetings => [.. GreetingsByName.Keys];

    private static readonly Dictionary<string, Func<NbdPeer, Task>> GreetingsByName = new(StringComparer.Ordinal)
    {
        ["nothing"] = peer => Task.CompletedTask,
        ["another protocol"] = peer => peer.Send("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"u8.ToArray()),
        ["the old style"] = peer => peer.Send(NbdPeer.Join(0x4E42_444D_4147_4943ul, 0x0000_4202_8186_1253ul, Size, new byte[128])),
        ["no fixed newstyle"] = peer => peer.Send(NbdPeer.Join(0x4E42_444D_4147_4943ul, 0x4948_4156_454F_5054ul, (ushort)0)),
        ["an answer to something else"] = peer => Answer(peer, (7, 1, [])),
        ["an answer of 4 GiB"] = async peer =>
        {
            await peer.Greet();
            await peer.Send(NbdPeer.Join(0x0003_E889_0455_65A9ul, 8u, 1u, uint.MaxValue));
            await ScriptedNbdServer.Forever(peer);
        },
        ["no size"] = peer => Answer(peer, (8, 1, []), (7, 1, [])),
        ["half a size"] = peer => Answer(peer, (8, 1, []), (7, 3, [0, 0, 1, 2, 3])),
        ["more than there can be"] = peer => Answer(peer, (8, 1, []), (7, 3, NbdPeer.Join((ushort)0, ulong.MaxValue, (ushort)1)), (7, 1, [])),
        ["no bytes"] = peer => Answer(peer, (8, 1, []), (7, 3, NbdPeer.Join((ushort)0, 0ul, (ushort)1)), (7, 1, [])),
        ["blocks of 0"] = peer => peer.Negotiate(Size, blocks: (0, 4096, 4096)),
        ["blocks of 3"] = peer => peer.Negotiate(Size, blocks: (3, 4096, 4096)),
        ["large blocks"] = peer => peer.Negotiate(Size, blocks: (1 << 16, 1 << 16, 1 << 20)),
        ["less at most than at least"] = peer => peer.Negotiate(Size, blocks: (512, 512, 256)),
        ["no end of answers"] = async peer =>
        {
            await Answer(peer, (8, 1, []));
            while (true)
                await peer.Answer(7, 3, NbdPeer.Join((ushort)99));
        },
        ["a refusal"] = peer => Answer(peer, (8, 1, []), (7, 1u << 31 | 6, "no such export"u8.ToArray())),
    };

    // at once: the client reads them as it asks
    private static async Task Answer(NbdPeer peer, params (uint Option, uint Type, byte[] Data)[] answers)
    {
        await peer.Greet();
        foreach ((uint option, uint type, byte[] data) in answers)
            await peer.Answer(option, type, data);
        if (answers.Length > 1)
            await ScriptedNbdServer.Forever(peer);
    }

    [Theory]
    [MemberData(nameof(Greetings))]
    public async Task Server_that_cannot_be_used_is_refused_in_words(string greeting)
    {
        using ScriptedNbdServer server = new(GreetingsByName[greeting]);

        Func<Task> connecting = async () => (await Connect(server)).Dispose();

        (await connecting.Should().ThrowAsync<IOException>()).Which.Message.Should().NotBeEmpty();
    }

    [Fact]
    public async Task Server_that_says_nothing_is_given_up_after_the_timeout()
    {
        using ScriptedNbdServer server = new(ScriptedNbdServer.Forever);

        Func<Task> connecting = () => Connect(server, Quick with { ConnectTimeout = TimeSpan.FromMilliseconds(50) });

        await connecting.Should().ThrowAsync<IOException>().WithMessage("*does not answer*");
    }

    [Theory]
    [InlineData(1u, DiskError.WriteProtected)]
    [InlineData(5u, DiskError.Media)]
    [InlineData(12u, DiskError.NotReady)]
    [InlineData(28u, DiskError.NoSpace)]
    [InlineData(4711u, DiskError.Media)]
    public async Task Errors_of_the_server_are_those_of_the_disk(uint error, DiskError expected)
    {
        using ScriptedNbdServer server = new(async peer =>
        {
            await peer.Negotiate(Size);
            await peer.Simple((await peer.TakeRequest()).Cookie, error);
            NbdPeer.Request read = await peer.TakeRequest();
            await peer.Chunk(read.Cookie, 0x8001, NbdPeer.Join(error, (ushort)2, "no"), done: false);
            await peer.Chunk(read.Cookie, 0, []);
            await ScriptedNbdServer.Forever(peer);
        });
        using NbdDisk disk = await Connect(server);

        Func<Task> writing = () => disk.WriteAsync(0, new byte[512]).AsTask().WaitAsync(Limit);
        Func<Task> reading = () => disk.ReadAsync(0, new byte[512]).AsTask().WaitAsync(Limit);

        (await writing.Should().ThrowAsync<DiskException>()).Which.Error.Should().Be(expected);
        (await reading.Should().ThrowAsync<DiskException>()).Which.Error.Should().Be(expected);
        server.Connections.Should().Be(1);
    }

    [Theory]
    [InlineData(NbdPeer.All, "1:1 6:0 6:2 4:0 3:0")] // a write with FUA, zeros with and without a hole, a trim, a flush
    [InlineData((ushort)(NbdPeer.All & ~8), "1:0 3:0 6:0 6:2 4:0 3:0")] // without FUA the write is flushed
    [InlineData((ushort)1, "1:0 1:0 1:0")] // without anything zeros are written, and there is no cache
    public async Task Commands_are_what_the_server_can_do(ushort flags, string expected)
    {
        List<string> commands = [];
        using ScriptedNbdServer server = new(async peer =>
        {
            await peer.Negotiate(Size, flags);
            while (true)
            {
                NbdPeer.Request request = await peer.TakeRequest();
                lock (commands)
                    commands.Add($"{request.Type}:{request.Flags}");
                await peer.Simple(request.Cookie);
            }
        });
        using NbdDisk disk = await Connect(server);

        await disk.WriteDurablyAsync(0, new byte[512]).AsTask().WaitAsync(Limit);
        await disk.WriteZeroesAsync(0, 4096, deallocate: true).AsTask().WaitAsync(Limit);
        await disk.WriteZeroesAsync(0, 4096, deallocate: false).AsTask().WaitAsync(Limit);
        await disk.DeallocateAsync(0, 4096).AsTask().WaitAsync(Limit);
        await disk.FlushAsync().AsTask().WaitAsync(Limit);

        string.Join(' ', commands).Should().Be(expected);
        disk.HasVolatileCache.Should().Be((flags & 4) != 0);
    }

    [Fact]
    public async Task Block_sizes_are_hints_and_long_accesses_are_split_at_the_largest()
    {
        List<uint> lengths = [];
        using ScriptedNbdServer server = new(async peer =>
        {
            await peer.Negotiate(Size, blocks: (4096, 16384, 8192));
            while (true)
            {
                NbdPeer.Request request = await peer.TakeRequest();
                lengths.Add(request.Length);
                await peer.Simple(request.Cookie);
            }
        });
        using NbdDisk disk = await Connect(server);

        await disk.WriteAsync(0, new byte[20 << 10]).AsTask().WaitAsync(Limit);

        lengths.Should().Equal(8192, 8192, 4096);
        disk.Hints.Should().Be(new DiskHints { BlockSize = 4096, PreferredWriteLength = 16384 });
    }

    [Fact]
    public async Task Server_that_is_gone_for_too_long_fails_what_waits_and_what_comes()
    {
        using ScriptedNbdServer server = new(async peer =>
        {
            await peer.Negotiate(Size);
            await peer.TakeRequest();
        }, _ => Task.CompletedTask);
        using NbdDisk disk = await Connect(server, Quick with { GiveUpAfter = TimeSpan.FromMilliseconds(20) });

        Func<Task> waiting = () => disk.ReadAsync(0, new byte[512]).AsTask().WaitAsync(Limit);

        await waiting.Should().ThrowAsync<DiskException>();
        await waiting.Should().ThrowAsync<DiskException>();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Cancelled_request_ends_and_others_go_on(bool connected)
    {
        TaskCompletionSource taken = new();
        using ScriptedNbdServer server = new(async peer =>
        {
            await peer.Negotiate(Size);
            await peer.TakeRequest();
            await peer.TakeRequest();
            taken.SetResult();
            if (connected)
                await ScriptedNbdServer.Forever(peer);
        },
        async peer =>
        {
            await peer.Negotiate(Size);
            while (true)
                await peer.Simple((await peer.TakeRequest()).Cookie);
        });
        using NbdDisk disk = await Connect(server);
        using CancellationTokenSource cancellation = new();
        Task cancelled = disk.WriteAsync(0, new byte[512], cancellation.Token).AsTask();
        Task other = disk.WriteAsync(512, new byte[512]).AsTask();
        if (connected)
            await taken.Task.WaitAsync(Limit);

        await cancellation.CancelAsync();

        await other.WaitAsync(Limit);
        // without a connection it may have been answered before
        await Task.WhenAny(cancelled).WaitAsync(Limit);
        if (connected)
            cancelled.IsCanceled.Should().BeTrue();
    }

    [Fact]
    public async Task Disposed_disk_fails_what_waits()
    {
        using ScriptedNbdServer server = new(async peer =>
        {
            await peer.Negotiate(Size);
            await ScriptedNbdServer.Forever(peer);
        });
        NbdDisk disk = await Connect(server);
        Task reading = disk.ReadAsync(0, new byte[512]).AsTask();

        disk.Dispose();

        await FluentActions.Awaiting(() => reading.WaitAsync(Limit)).Should().ThrowAsync<DiskException>();
    }

    [Fact]
    public async Task Export_that_has_grown_while_the_server_was_away_is_told()
    {
        using ScriptedNbdServer server = new(async peer =>
        {
            await peer.Negotiate(Size);
            await peer.TakeRequest();
        },
        async peer =>
        {
            await peer.Negotiate(2 * Size);
            await peer.Simple((await peer.TakeRequest()).Cookie);
            await ScriptedNbdServer.Forever(peer);
        });
        using NbdDisk disk = await Connect(server);
        int told = 0;
        disk.SizeChanged += (_, _) => told++;

        await disk.WriteAsync(0, new byte[512]).AsTask().WaitAsync(Limit);

        told.Should().Be(1);
        disk.Size.Should().Be(2 * (long)Size);
    }
}
