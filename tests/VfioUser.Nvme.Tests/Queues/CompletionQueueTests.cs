namespace VfioUser.Nvme.Tests.Queues;

public sealed class CompletionQueueTests : IDisposable
{
    private const int Head = 3;

    private readonly MemoryDisk _disk = new(1 << 20);
    private readonly NvmeController _controller;
    private readonly DoorbellRegisters _doorbells = new(null!, 2, mapped: false);
    private readonly CompletionQueue _queue;
    private readonly List<uint> _refused = [];
    private int _woken;

    public CompletionQueueTests()
    {
        _controller = new NvmeController([_disk]);
        Doorbell head = new(_doorbells, Head, 8, 1, (_, value) => _refused.Add(value));
        // seven are untaken: it is full
        _queue = new CompletionQueue(_controller.Dma, new CompletionQueueState(0, 1, 0, 8, Head: 1, Tail: 0, Phase: 1, 1, 0), head, () => _woken++);
    }

    public void Dispose()
    {
        _controller.Dispose();
        _disk.Dispose();
    }

    [Fact]
    public void Place_that_one_finds_does_not_hide_that_another_waits()
    {
        _queue.Reserve(1).Should().Be(0);
        _doorbells.Write(Head, 2);

        _queue.Reserve(1).Should().Be(1);

        _queue.IsStarved.Should().BeTrue("the one that found no room has not been woken yet");
    }

    [Fact]
    public void Place_that_is_given_back_wakes_those_who_wait()
    {
        _doorbells.Write(Head, 2);
        _queue.Reserve(1).Should().Be(1);
        _queue.Reserve(1).Should().Be(0);

        _queue.Release(1);

        _woken.Should().Be(1);
        _queue.Reserve(1).Should().Be(1);
    }

    [Theory]
    [InlineData(1u, 0)] // as before
    [InlineData(3u, 2)]
    [InlineData(0u, 7)] // all of them
    public void Head_as_far_as_the_tail_makes_room(uint head, int free)
    {
        _doorbells.Write(Head, head);

        _queue.Reserve(8).Should().Be(free);
        _queue.Untaken.Should().Be(7 - free);
    }

    [Fact]
    public void Head_ahead_of_the_tail_makes_no_room_and_one_that_is_not_goes_on()
    {
        _doorbells.Write(Head, 5);
        _queue.Reserve(8).Should().Be(4);

        _doorbells.Write(Head, 2); // back, or a lap ahead
        int back = _queue.Reserve(8);
        _doorbells.Write(Head, 6);
        int on = _queue.Reserve(8);

        back.Should().Be(0);
        on.Should().Be(1);
        _refused.Should().Equal(2u);
    }
}
