using System.IO.Pipes;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

/// <summary>What a client can send in place of a decent eventfd. None of it may hang a trigger, or the session.</summary>
public class HostileEventFdTests
{
    private readonly IrqDevice _device = new();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_counter_that_is_full_does_not_block_the_trigger(bool blocking)
    {
        using var guest = TestGuest.Attach(_device);
        using EventFd full = new();
        Write(full.Handle, ulong.MaxValue - 1);
        if (blocking)
            TestFiles.SetFlags(full.Handle, 0);
        Bind(guest, full.Handle);

        Task<bool> trigger = Background.Run<bool>(_device.MsiX[0].Trigger);

        (await trigger.WaitAsync(Background.Timeout)).Should().BeFalse();
        full.Take().Should().Be(ulong.MaxValue - 1);
        _device.MsiX[0].Trigger().Should().BeTrue();
        full.Take().Should().Be(1);
    }

    [Fact]
    public async Task Descriptors_that_are_no_eventfds_hang_nothing()
    {
        using SafeFileHandle readOnly = TestFiles.Open("/dev/null", TestFiles.ReadOnly);
        using SafeFileHandle directory = TestFiles.Open("/tmp", TestFiles.ReadOnly);
        using SafeFileHandle path = TestFiles.Open("/tmp", TestFiles.PathOnly);
        using SafeFileHandle full = TestFiles.Open("/dev/full", TestFiles.ReadWrite);
        using SafeFileHandle memory = TestFiles.Memory(4);
        using AnonymousPipeServerStream pipe = new(PipeDirection.Out);
        pipe.ClientSafePipeHandle.Dispose(); // a write is a SIGPIPE
        using AnonymousPipeServerStream fullPipe = new(PipeDirection.Out);
        FillPipe(fullPipe.SafePipeHandle);

        foreach (SafeHandle handle in new SafeHandle[] { readOnly, directory, path, full, memory, pipe.SafePipeHandle, fullPipe.SafePipeHandle })
        {
            using var guest = TestGuest.Attach(_device);
            try
            {
                Bind(guest, handle);
            }
            catch (VfioUserException e)
            {
                e.Errno.Should().Be(Errno.EINVAL, "a server may refuse it");
                continue;
            }
            Task trigger = Background.Run(() => _device.MsiX[0].Trigger());

            await trigger.WaitAsync(Background.Timeout);
            _device.MsiX[1].Trigger().Should().BeTrue();
            guest.MsiX[1].Count.Should().Be(1, "the session lives on");
        }
    }

    [Fact]
    public async Task A_client_that_blocks_an_assert_and_disconnects_blocks_no_thread()
    {
        using EventFd trigger = new();
        using (TestGuest guest = TestGuest.Attach(_device))
        {
            guest.Set(IrqSetFlags.DataEventFd | IrqSetFlags.ActionTrigger, IrqType.Intx, 0, 1, null, trigger);
            FillAndBlock(trigger);

            Task assert = Background.Run(() => _device.Intx.Assert());
            Background.MustBecomeTrue(() => _device.Intx.IsAsserted, "it is about to write to the eventfd");
            await Background.Run(guest.Dispose).WaitAsync(Background.Timeout);

            await assert.WaitAsync(Background.Timeout);
        }
        _device.Intx.Deassert();
        using TestGuest next = TestGuest.Attach(_device);
        _device.MsiX[0].Trigger().Should().BeTrue();
    }

    [Fact]
    public async Task A_client_that_blocks_unmasking_and_disconnects_blocks_no_thread()
    {
        using EventFd trigger = new();
        using EventFd handled = new();
        using (TestGuest guest = TestGuest.Attach(_device))
        {
            guest.Set(IrqSetFlags.DataEventFd | IrqSetFlags.ActionTrigger, IrqType.Intx, 0, 1, null, trigger);
            guest.Set(IrqSetFlags.DataEventFd | IrqSetFlags.ActionUnmask, IrqType.Intx, 0, 1, null, handled);
            _device.Intx.Assert().Should().BeTrue();
            _device.Intx.IsMasked.Should().BeTrue();
            trigger.Take();
            FillAndBlock(trigger);

            handled.Signal();
            Background.MustBecomeTrue(() => !_device.Intx.IsMasked, "it is about to be delivered again");
            await Background.Run(guest.Dispose).WaitAsync(Background.Timeout);
        }
        _device.Intx.Deassert();
        using TestGuest next = TestGuest.Attach(_device);
        _device.MsiX[0].Trigger().Should().BeTrue();
    }

    // After it was given away: so nobody looks first whether it can be written.
    private static void FillAndBlock(EventFd eventFd)
    {
        Write(eventFd.Handle, ulong.MaxValue - 1);
        TestFiles.SetFlags(eventFd.Handle, 0);
    }

    private static void Bind(TestGuest guest, SafeHandle handle) =>
        guest.Client.SetIrqs(new IrqSet(IrqSet.WireSize, IrqSetFlags.DataEventFd | IrqSetFlags.ActionTrigger, (uint)IrqType.MsiX, 0, 1),
            default, [handle]);

    private static void Write(SafeFileHandle handle, ulong value)
    {
        using FileStream stream = new(Protocol.Interop.FileCalls.Duplicate(handle), FileAccess.Write, bufferSize: 0);
        stream.Write(MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(in value)));
    }

    // until it would block; then it blocks again
    private static void FillPipe(SafeHandle handle)
    {
        TestFiles.SetFlags(handle, TestFiles.NonBlock);
        using EventFd writer = new(Protocol.Interop.FileCalls.Duplicate(handle));
        while (writer.Signal())
        {
        }
        TestFiles.SetFlags(handle, 0);
    }
}
