using FluentAssertions;
using VfioUser.Virtio;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Vm.Tests.Virtio;

/// <summary>Keyboard, mouse and tablet under Linux's virtio_input and evdev.</summary>
public class InputGuestTests
{
    private static readonly Initramfs Guest = new(modules: ["virtio_input", "evdev"], programs: []);

    [VmFact]
    public async Task Guest_sees_keys_movement_and_positions_and_switches_a_light()
    {
        using VirtioKeyboard keyboard = new("Example keyboard");
        using VirtioMouse mouse = new("Example mouse");
        using VirtioTablet tablet = new("Example tablet");
        TaskCompletionSource light = new(TaskCreationOptions.RunContinuationsAsynchronously);
        keyboard.LedsChanged += (_, _) =>
        {
            if (keyboard.Leds == KeyboardLeds.CapsLock)
                light.TrySetResult();
        };
        await using ServedDevice first = new(keyboard);
        await using ServedDevice second = new(mouse);
        await using ServedDevice third = new(tablet);
        await using VirtualMachine machine = await VirtualMachine.Start(
            new MachineOptions { Guest = Guest, SocketPaths = [first.SocketPath, second.SocketPath, third.SocketPath] });

        await Record(machine, keyboard, events: 4);
        await Record(machine, mouse, events: 5);
        await Record(machine, tablet, events: 3);
        keyboard.Tap(InputKey.A).Should().BeTrue();
        mouse.Move(5, -3).Should().BeTrue();
        mouse.Set(MouseButton.Left, true).Should().BeTrue();
        tablet.MoveTo(1000, 2000).Should().BeTrue();

        (await Recorded(machine, "keyboard")).Should().Be("1 30 1\n0 0 0\n1 30 0\n0 0 0");
        (await Recorded(machine, "mouse")).Should().Be("2 0 5\n2 1 4294967293\n0 0 0\n1 272 1\n0 0 0");
        (await Recorded(machine, "tablet")).Should().Be("3 0 1000\n3 1 2000\n0 0 0");
        await machine.Output("for f in /sys/class/leds/input*capslock/brightness; do echo 1 >$f; done");
        await light.Task.WaitAsync(TimeSpan.FromSeconds(60));
        await machine.PowerOff();
    }

    // Reads as many events into a file; returns when the guest listens.
    private static async Task Record(VirtualMachine machine, VirtioInput device, int events)
    {
        string name = device is VirtioKeyboard ? "keyboard" : device is VirtioMouse ? "mouse" : "tablet";
        await machine.Output($"until grep -q 'Example {name}' /sys/class/input/event*/device/name; do usleep 10000; done; "
            + $"e=$(grep -l 'Example {name}' /sys/class/input/event*/device/name | cut -d/ -f5); "
            + $"(exec 5</dev/input/$e; touch /tmp/{name}.open; dd bs=24 count={events} of=/tmp/{name} <&5 2>/dev/null; touch /tmp/{name}.done) >/dev/null 2>&1 & "
            + $"until [ -e /tmp/{name}.open ]; do usleep 10000; done");
    }

    // type, code and value of each; before them is the time
    private static Task<string> Recorded(VirtualMachine machine, string name) => machine.Output(
        $"until [ -e /tmp/{name}.done ]; do usleep 10000; done; od -An -v -t u2 -w24 /tmp/{name} | awk '{{ print $9, $10, $11 + 65536 * $12 }}'");
}
