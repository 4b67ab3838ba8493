using System.IO.Pipes;
using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol.Interop;

namespace VfioUser.Protocol.Tests.Transport;

public sealed class EventFdTests
{
    // the largest number that the counter takes
    private const ulong Full = ulong.MaxValue - 1;

    [Fact]
    public void Signals_add_up_until_they_are_taken()
    {
        using EventFd eventFd = new();

        eventFd.Signal().Should().BeTrue();
        eventFd.Signal().Should().BeTrue();

        eventFd.Take().Should().Be(2);
        eventFd.Take().Should().Be(0);
    }

    [Fact]
    public void Waiting_ends_with_a_signal_or_with_the_time()
    {
        using EventFd eventFd = new();

        eventFd.Wait(TimeSpan.Zero).Should().BeFalse();
        eventFd.Wait(TimeSpan.FromMilliseconds(1)).Should().BeFalse();
        Background<bool> waiter = Background.Run(() => eventFd.Wait(Background.Timeout));
        eventFd.Signal();

        waiter.Result.Should().BeTrue();
        eventFd.Wait(Timeout.InfiniteTimeSpan).Should().BeTrue("waiting does not take");
        eventFd.Wait(TimeSpan.MaxValue).Should().BeTrue();
    }

    [Fact]
    public void Both_descriptors_of_one_counter_see_it()
    {
        using EventFd mine = new();
        using EventFd theirs = new(FileCalls.Duplicate(mine.Handle));

        mine.Signal();

        theirs.Take().Should().Be(1);
        mine.Take().Should().Be(0);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(Libc.EfdNonBlock)]
    public void A_full_counter_does_not_make_a_signal_wait(int flags)
    {
        using EventFd eventFd = new(Libc.Own(Libc.EventFd(0, Libc.EfdCloexec | flags), "eventfd"));
        RandomAccessWrite(eventFd.Handle, Full);

        Background<bool> signal = Background.Run(eventFd.Signal);

        signal.Result.Should().BeFalse();
        eventFd.Take().Should().Be(Full);
        eventFd.Signal().Should().BeTrue();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(Libc.EfdNonBlock)]
    public void An_empty_counter_does_not_make_a_take_wait(int flags)
    {
        using EventFd eventFd = new(Libc.Own(Libc.EventFd(0, Libc.EfdCloexec | flags), "eventfd"));

        Background.Run(eventFd.Take).Result.Should().Be(0);
    }

    [Fact]
    public void A_pipe_that_is_not_read_is_written_until_full_without_blocking()
    {
        using AnonymousPipeServerStream pipe = new(PipeDirection.In);
        using EventFd noEventFd = new(new SafeFileHandle(pipe.ClientSafePipeHandle.DangerousGetHandle(), ownsHandle: false));

        Background<int> signals = Background.Run(() =>
        {
            int count = 0;
            while (noEventFd.Signal())
                count++;
            return count;
        });

        signals.Result.Should().BeGreaterThan(0);
        noEventFd.Invoking(it => it.Take()).Should().NotThrow<ObjectDisposedException>().And.Subject.Should().NotBeNull();
    }

    [Fact]
    public void A_pipe_whose_reader_is_closed_is_not_signalled()
    {
        using AnonymousPipeServerStream pipe = new(PipeDirection.In);
        using EventFd noEventFd = new(FileCalls.Duplicate(new SafeFileHandle(pipe.ClientSafePipeHandle.DangerousGetHandle(), ownsHandle: false)));
        pipe.DisposeLocalCopyOfClientHandle();
        pipe.Dispose();

        noEventFd.Signal().Should().BeFalse();
    }

    [Fact]
    public void A_file_that_cannot_be_written_is_no_signal()
    {
        using EventFd noEventFd = new(File.OpenHandle("/proc/self/maps"));

        noEventFd.Signal().Should().BeFalse();
    }

    [Fact]
    public void A_file_at_its_end_is_no_eventfd_to_take_from()
    {
        using EventFd noEventFd = new(File.OpenHandle("/dev/null"));

        noEventFd.Invoking(it => it.Take()).Should().Throw<IOException>().WithMessage("*eventfd*");
    }

    [Fact]
    public void Dispose_closes_the_descriptor()
    {
        EventFd eventFd = new();

        eventFd.Dispose();

        eventFd.Handle.IsClosed.Should().BeTrue();
        eventFd.Invoking(it => it.Signal()).Should().Throw<ObjectDisposedException>();
    }

    private static void RandomAccessWrite(SafeFileHandle eventFd, ulong count)
    {
        using FileStream stream = new(FileCalls.Duplicate(eventFd), FileAccess.Write, bufferSize: 0);
        stream.Write(BitConverter.GetBytes(count));
    }
}
