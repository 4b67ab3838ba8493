namespace VfioUser.Nvme;

/// <summary>Asynchronous Event Request: completes when there is an event. NVMe 1.4 5.2.</summary>
internal sealed class AsyncEventRequestCommand(ControllerParts parts) : IAdminCommand
{
    public CommandOutcome Execute(in Command command, CommandContext context, out uint result)
    {
        result = 0;
        return parts.Events.Request(command.Id);
    }
}
